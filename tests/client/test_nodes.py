"""URLs of nodes, profiles of networks, their headers, and the driver that may be missing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.client.fakenode import FakeNode
from twincli.client import nodes, profiles, transport
from twincli.client.nodes import Nodes, normalized
from twincli.client.profiles import Profile, of_urls
from twincli.errors import ConfigError, UsageError


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://localhost", "http://localhost:9984"),
        ("http://Example.ORG:80/", "http://example.org:80"),
        ("https://example.org", "https://example.org:443"),
        ("https://example.org/bdb/api/v1/", "https://example.org:443/bdb"),
        ("http://127.0.0.1:9984/api/v1", "http://127.0.0.1:9984"),
        ("http://[::1]:1234", "http://[::1]:1234"),
        ("HTTP://[::1]", "http://[::1]:9984"),
    ],
)
def test_a_url_is_normalized(url: str, wanted: str) -> None:
    assert normalized(url) == wanted
    assert normalized(wanted) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org",
        "http://",
        "http://:80",
        "http://a:port",
        "http://a:99999",
        "http://[::1",
        "http://a/?x=1",
        "http://a/#x",
        "https://user:secret@a",
        "http://token@a",
        "http://a/\udcff",
        "http://a\n/",
    ],
)
def test_what_is_no_url_of_a_node(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        normalized(url)
    assert caught.value.code == "bad_url"
    assert "secret" not in caught.value.message


def test_the_driver_sees_the_url_as_it_is(node: FakeNode) -> None:
    ours = Nodes(["http://[::1]:1234/x", node.url], {"X-One": "two"}, 3)
    for made, url in zip(ours._nodes, ours.urls, strict=True):
        (connection,) = made.driver.transport.connection_pool.connections
        assert connection.node_url == url
        # No proxy is asked for what is on this machine.
        assert connection.session.trust_env is False
    elsewhere = Nodes(["http://example.org:1"], {}, 3)
    (connection,) = elsewhere._nodes[0].driver.transport.connection_pool.connections
    assert connection.session.trust_env is True
    elsewhere.close()
    ours.close()


def test_headers_go_with_every_request(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", "/nonexistent")
    ours = Nodes([node.url], {"Authorization": "Bearer t0ken", "app_id": "x"}, 5)
    ours.info()
    assert node.headers["Authorization"] == "Bearer t0ken"
    assert ours.transaction("0" * 64) is None  # where the driver itself passes none on
    assert node.headers["Authorization"] == "Bearer t0ken"
    assert node.headers["app_id"] == "x"
    ours.close()


def test_one_by_one(node: FakeNode) -> None:
    ours = Nodes([node.url, "http://127.0.0.1:1"], {}, 1)
    (first, said, seconds), (second, failed, _) = ours.one_by_one()
    assert (first, second) == ours.urls
    assert isinstance(said, dict)
    assert said["software"] == "BigchainDB"
    assert 0 < seconds < 1
    assert isinstance(failed, Exception)
    node.answers["/"] = lambda _: (200, ["no object"])
    (_, strange, _), _ = ours.one_by_one()
    assert isinstance(strange, Exception)
    ours.close()


def test_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bigchaindb_driver", None)
    with pytest.raises(ConfigError) as caught:
        Nodes(["http://a:1"], {}, 1)
    assert caught.value.code == "missing_extra"
    assert caught.value.hint == (
        'pip install "twincli[bigchaindb]" && pip install --no-deps'
        " bigchaindb-driver==0.6.2 cryptoconditions==0.8.1"
    )


def test_why_a_request_failed() -> None:
    from requests import exceptions

    for error, part in (
        (exceptions.ProxyError("x"), "proxy"),
        (exceptions.ConnectTimeout("x"), "does not answer"),
        (exceptions.ConnectionError("Network is unreachable"), "no route"),
        (exceptions.ConnectionError("reset by peer"), "was lost"),
    ):
        assert part in str(transport.unanswered(error))


def test_what_is_on_this_machine() -> None:
    for url in ("http://localhost:1", "http://127.0.0.2:1", "https://[::1]", "http://a.localhost"):
        assert nodes.is_loopback(url)
    for url in ("http://127.example.org", "http://localhost.example.org", "http://10.0.0.1"):
        assert not nodes.is_loopback(url)


# --- Profiles ----------------------------------------------------------------------------------


def test_a_network_is_known_by_its_urls() -> None:
    one = of_urls(["http://b", "http://a:9984/", "http://a"])
    assert one.urls == ("http://b:9984", "http://a:9984")
    assert one.network == of_urls(["http://a", "http://b"]).network
    assert one.network != of_urls(["http://b"]).network
    assert len(bytes.fromhex(one.network)) == 32


def test_profiles_are_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "nodes.json")
    assert profiles.load(path) == {}
    wanted = {"b": of_urls(["http://b"]), "a": Profile(("http://a:1",), "00" * 32, "/x/\udcff")}
    profiles.save(path, wanted)
    assert profiles.load(path) == wanted
    assert (tmp_path / "deep" / "nodes.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 1}',
        '{"version": 1, "nodes": []}',
        '{"version": 1, "nodes": {"a": {}}}',
        '{"version": 1, "nodes": {"a": {"urls": [], "network": "00", "header_file": null}}}',
        '{"version": 1, "nodes": {"a": {"urls": [1], "network": 5, "header_file": null}}}',
        "[" * 100_000,
    ],
    ids=range(9),
)
def test_a_damaged_file_of_profiles(text: str, tmp_path: Path) -> None:
    path = tmp_path / "nodes.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        profiles.load(str(path))
    assert str(path) in caught.value.message


def test_profiles_of_a_newer_twincli(tmp_path: Path) -> None:
    path = tmp_path / "nodes.json"
    path.write_text(json.dumps({"version": 2, "nodes": {}}))
    with pytest.raises(ConfigError) as caught:
        profiles.load(str(path))
    assert caught.value.code == "newer_schema"


@pytest.mark.parametrize(
    "name", ["", "local", "LOCAL", "a b", "a/b", "http://a", "a,b", "-a", ".a"]
)
def test_names_that_networks_cannot_have(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        profiles.check_name(name)
    assert caught.value.code == "bad_name"


def header_file(tmp_path: Path, text: str | bytes, mode: int = 0o600) -> str:
    path = tmp_path / "headers"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return str(path)


def test_headers_are_read(tmp_path: Path) -> None:
    marked = header_file(tmp_path, b"\xef\xbb\xbfX-App: x\r\n")  # as Notepad saves it
    assert profiles.headers(marked) == {"X-App": "x"}
    text = "# the token of the device\n\nAuthorization: Bearer a:b\nX-App:x \r\n"
    assert profiles.headers(header_file(tmp_path, text)) == {
        "Authorization": "Bearer a:b",
        "X-App": "x",
    }


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("secret", "line 1"),
        ("A: b\n: secret", "line 2"),
        ("A b: secret", "line 1"),
        ("A: se\x01cret", "line 1"),
        ("Host: secret", "set by the HTTP client"),
        ("Content-Length: 1", "set by the HTTP client"),
        (b"A: secr\xe9t", "not UTF-8"),
        ("A: secr\u00e9t".encode(), "not ASCII"),
        ("A: secret".encode("utf-16"), "not UTF-8"),
        (b"A: secret\0", "NUL"),
        ("A: " + "secret" * 20_000, "too long"),
    ],
)
def test_headers_that_are_none(text: str | bytes, part: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        profiles.headers(header_file(tmp_path, text))
    assert caught.value.code == "bad_headers"
    assert part in caught.value.message
    shown: BaseException | None = caught.value
    while shown is not None:
        assert "secr" not in str(shown)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)


def test_headers_that_others_can_read(tmp_path: Path) -> None:
    path = header_file(tmp_path, "A: b", 0o644)
    with pytest.raises(ConfigError) as caught:
        profiles.headers(path)
    assert caught.value.code == "insecure_permissions"
    assert caught.value.hint == f"chmod 600 {path}"
    with pytest.raises(ConfigError) as caught:
        profiles.headers(str(tmp_path / "none"))
    assert caught.value.code == "bad_headers"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has none")
def test_a_named_pipe_holds_no_headers(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="not a regular file"):
        profiles.headers(str(path))
