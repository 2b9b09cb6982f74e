"""The page is what its sources give, its vendored parts are unchanged, and it asks nobody."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from docs.tools import bundle_page
from twincli.formats import pages

VENDORED = {
    "fzstd/LICENSE": "62249119bb7df6e54300f37a37145c26a6d4420410aac8881a119c5b427cf751",
    "fzstd/fzstd.js": "1a901fc5a58c349bbdb4f2aa1e688637ef56891ec58243a9f0cd863166b0d2a4",
    "hyparquet/LICENSE": "6e19a315e03f36020f37dedcb1dd93b4eba6ebfd94ccdd13ec55b940776fb55e",
    "hyparquet/alp.js": "ac35c5f5a741bd720226c86329dcad915f9c29ba4dfe89107d84587cf861106d",
    "hyparquet/assemble.js": "bb11957832cbff277d6c9f59c5cd93f33d29e63e42cb4b68d7268889bcf08697",
    "hyparquet/bloom.js": "5176840840f50bfb5b5d2dac7a6e76b86bfa3e8a6f56dee6f1dcaaa849678c41",
    "hyparquet/column.js": "fcd0b7c8dab543affa29b8fbc6a2552ac3c9442fff053479e41cbf42118097ad",
    "hyparquet/constants.js": "698c3994b5af354c9c7cb530e97b1a8d705e12b3b2d67034d19ca87ffd93e700",
    "hyparquet/convert.js": "2003a0a91e3e72304c3b1097e7664ac97c23de19fff5681b9812ae8f7fa85879",
    "hyparquet/datapage.js": "adeb5b75da9d35685691ebd17622f574ab19550177e08e9c15694e00cc85da07",
    "hyparquet/delta.js": "46bcef16cb565b3e1bb6c778beed35ab05db1b15481db1764591f1d6305248df",
    "hyparquet/encoding.js": "bdf777d370fc2d70b630cae537318308694743aae696c93dd5fa6b944a75d496",
    "hyparquet/filter.js": "107f00f3956f3f89f6d2c45d606229e2707a5e5bff3bafe7a9e0e400fd14f017",
    "hyparquet/geoparquet.js": "3be4dc1294c2a6f441411acb631f4ccecc3c42447c3c5bb55c0def2b23703b05",
    "hyparquet/indexes.js": "a1532b7901db4faa9924478f1b7faea939b73400370d47818b23f8833103a7f5",
    "hyparquet/metadata.js": "96574cc855ad8766caf66863baae53712b91808a17dad9b67db211d25732dd83",
    "hyparquet/plain.js": "39761e015fdba42d4eed6e182f3fa383891be918ba6c1321155ccbc804de7308",
    "hyparquet/plan.js": "1b17c0589803189540a9a2d6ec7e5cfe5a6e9a48e9e10ca8292b4f27115c6a8b",
    "hyparquet/read.js": "6e2b518ce6e5dfa3d6da96b410930c064864547d1a97468e1b4c9ad5771ff5ac",
    "hyparquet/rowgroup.js": "1ae9f1fe30435828cf32fce05eeb516be490a8e13dd1a768fb37a4809f74775a",
    "hyparquet/scan.js": "fd10854efdaa9a7dea4ff08a62b80583750fa364f096bec5afe632b3fe88a3d2",
    "hyparquet/schema.js": "7e6c8d1cd0e369cab4db8571a145d02e7b2bd60aab9c59dd0f7933f645471cef",
    "hyparquet/snappy.js": "e80c24e127874e562d47d685b9712b8067ce76354e24883d0a8badacfd16b8a6",
    "hyparquet/thrift.js": "70e89035a454b241fd1dc3b2218edfad2cb535b11321a4ccdde83b20adea05f8",
    "hyparquet/utils.js": "c231c08de8c04e76ebc8faa7a388d849783a375ddd3aa96ae3c428c0bfbe990e",
    "hyparquet/variant.js": "e4e80dc6a3d150f2aa1bac8d7470fb12f3b8c69fff9168a965ab6686d752506b",
    "hyparquet/wkb.js": "0328003b13e78a07482c989fe141e61f9e6075b2ff05c44be287fa39328bb37a",
    "hyparquet/xxhash.js": "f51da25c070700500243d954bf5bebff0888d507e3019068c276e3206a51fabe",
    "js-sha3/LICENSE": "fe69e79c5877db4881f678690e8db55aa1b4983f0b040edad5fd0785382fe754",
    "js-sha3/sha3.cjs": "6378cc474ad0a0db3e88c0c67b7bd4a154e1b318f44dbbd13927f6e220efaa38",
    "noble-hashes/LICENSE": "4f221aee6e072336700c408c68ab3b96a3fc09f6aebe6f48f1bd99e5ef13faec",
    "noble-hashes/_md.js": "a112f0fe1b15db00f2638618c436a17be1c5e13baf19d02fcc29016ae1db2233",
    "noble-hashes/_u64.js": "e48c0cfc10810439a4807b46db136ce603a3fa09b62584f513ef2f3ca496af54",
    "noble-hashes/sha2.js": "3ddc587c588283cbceed4dd9929cefcce06a0c231b54d4c6f0f99c478c686c00",
    "noble-hashes/utils.js": "11319ec0a8132a0c2ced8c98af33ae9274c001d6baf4f4709c4a6115e031a3c5",
}
"""SHA-256 of what was copied from npm."""


def test_the_page_is_what_its_sources_give() -> None:
    assert bundle_page.made() == pages.page(), f"run: {bundle_page.COMMAND}"


def test_vendored_files_are_those_that_were_published() -> None:
    root = bundle_page.ROOT / "vendor"
    found = {
        path.relative_to(root).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and path.name != "README.md"
    }
    assert found == VENDORED
    for folder in {name.partition("/")[0] for name in VENDORED}:
        licence = (root / folder / "LICENSE").read_text()
        assert "permission is hereby granted" in licence.lower()
        assert licence.strip() in pages.page().decode()


def test_the_policy_allows_one_script_and_one_style_and_no_request() -> None:
    text = pages.page().decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    parts = dict(part.strip().split(" ", 1) for part in policy[1].split(";"))
    assert parts["default-src"] == "'none'"
    assert not parts.keys() & {"connect-src", "img-src", "frame-src", "worker-src"}
    for name, element in (("script-src", "script"), ("style-src", "style")):
        inner = re.search(rf"<{element} id=\"(?:code|style)\">(.*?)</{element}>", text, re.DOTALL)
        assert inner is not None
        digest = b64encode(sha256(inner[1].encode()).digest()).decode()
        assert parts[name] == f"'sha256-{digest}'"
    assert not re.search(r'\b(?:src|href|action)="(?!#)', text.split("<script id=", 1)[0])
    own = "".join(path.read_text() for path in (bundle_page.ROOT / "js").glob("*.js"))
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in own
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "EventSource"):
        assert word not in own


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import x from 'elsewhere'\n", "which is not a file"),
        ("export { a } from './b.js'\n", "a form that is not known"),
        ("const a = '</script>'\n", "would end early"),
    ],
)
def test_sources_that_the_tool_does_not_know_are_refused(
    source: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("page")
    (root / "js").mkdir()
    (root / "js" / "main.js").write_text(source)
    (root / "page.html").write_text("{{code}}")
    (root / "released.txt").write_text("# none\n")
    monkeypatch.setattr(bundle_page, "ROOT", root.resolve())
    with pytest.raises(bundle_page.SourceError, match=why):
        bundle_page.script()
