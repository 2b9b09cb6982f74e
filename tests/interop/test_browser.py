"""The explorer's pages in a real browser: keyboard, phone, no scripts, nothing from elsewhere."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.plugins.tools import require_tool

pytestmark = pytest.mark.ci

EVIL = "<script>document.title='broken'</script><img src=https://elsewhere.example/x>"


class Browser:
    """A page of headless Chromium, by its DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.requested: list[str] = []
        self._loaded = 0
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = self._take()
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def _take(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=30))
        if message.get("method") == "Network.requestWillBeSent":
            self.requested.append(message["params"]["request"]["url"])
        self._loaded += message.get("method") == "Page.loadEventFired"
        return message

    def go(self, url: str) -> None:
        before = self._loaded
        self.call("Page.navigate", url=url)
        self._until_after(before)

    def follow(self) -> None:
        """Press Enter, and wait for the page that comes of it."""
        before = self._loaded
        self.press("Enter")
        self._until_after(before)

    def _until_after(self, loaded: int) -> None:
        while self._loaded == loaded:
            self._take()

    def find(self, expression: str) -> Any:
        """Return the value of an expression; DevTools may run one where pages may not."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def press(self, key: str) -> None:
        code = {"Tab": 9, "Enter": 13}.get(key, 0)
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if kind == "keyDown" and text else {}
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more
            )


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a node with a car, driven, and a stranger's text."""
    home = tmp_path_factory.mktemp("node")
    environment = {**os.environ, "TWIN_HOME": str(home), "TWIN_NO_PASSPHRASE": "1"}

    def twin(*words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "twincli", *words],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    twin("keys", "new", "alice")
    twin("asset", "create", "car", "--wheels", "4", "--set", f"note={json.dumps(EVIL)}")
    for mileage in (1200, 1250, 1300):
        twin("asset", "append", "car", "--mileage", str(mileage))
    words = [sys.executable, "-m", "twincli", "node", "start", "--port", "0", "--json"]
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    words = [
        require_tool("chromium"),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--remote-debugging-port=0", f"--user-data-dir={tmp_path / 'profile'}", "about:blank"),
    ]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            port = _port(tmp_path / "profile" / "DevToolsActivePort")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                page = next(item for item in json.load(answer) if item["type"] == "page")
            with connect(page["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Browser(socket)
        finally:
            process.kill()


def _port(file: Path) -> str:
    for _ in range(300):
        if file.exists() and (lines := file.read_text().split()):
            return lines[0]
        time.sleep(0.1)
    raise AssertionError("the browser did not start")


def test_by_keyboard_from_the_first_page_to_an_asset(node: str, browser: Browser) -> None:
    browser.go(node)
    assert browser.find("document.title") == "twin node"
    for _ in range(3):  # the link to the content, the name of the site, the search
        browser.press("Tab")
    assert browser.find("document.activeElement.id") == "q"
    for letter in "elsewhere":
        browser.press(letter)
    browser.follow()
    assert browser.find("document.title") == "search: elsewhere"
    for _ in range(10):
        browser.press("Tab")
        if "/asset/" in str(browser.find("document.activeElement.href")):
            break
    browser.follow()
    assert browser.find("document.title").startswith("car ")
    assert "1300" in browser.find("document.body.innerText")
    assert browser.find("document.querySelectorAll('svg polyline').length") == 1
    assert browser.find("document.querySelector('svg').getBoundingClientRect().width") > 100
    # A stranger's text stays text, and nothing was asked of anybody else.
    assert EVIL in browser.find("document.body.innerText").replace('\\"', '"')
    assert browser.find("document.querySelectorAll('script, img').length") == 0
    assert all(url.startswith(node) for url in browser.requested), browser.requested


@pytest.mark.parametrize("width", [320, 1200])
def test_on_a_phone_and_without_scripts_it_fits(node: str, browser: Browser, width: int) -> None:
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=640,
        deviceScaleFactor=2,
        mobile=width < 500,
    )
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.go(node)
    links = browser.find("[...document.querySelectorAll('a')].map(a => a.href)")
    assert len(links) > 8
    for link in dict.fromkeys(url for url in links if "#" not in url):
        browser.go(link)
        assert browser.find("document.documentElement.scrollWidth") <= width
        assert len(browser.find("document.body.innerText")) > 20
