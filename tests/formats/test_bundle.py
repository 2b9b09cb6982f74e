"""The form of a bundle: every byte follows from the entries, and whatever differs is refused."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.formats import bundles
from twincli.crypto import canonical, cid
from twincli.errors import ConfigError, InvalidError
from twincli.formats import bundle
from twincli.formats.bundle import Bundle, LeftOut, Line

FILE = b"the content of a file"
CID = cid.of(FILE).text
GOOD = bundles.small(content={CID: FILE})


def test_a_bundle_reads_as_it_was_written() -> None:
    read = bundles.opened(GOOD)
    assert list(read.places) == [
        "checkpoint",
        f"content/{CID}",
        "index.html",
        "proofs.jsonl",
        "transactions.jsonl",
    ]
    held, root = bundles.lines()
    assert list(read.lines()) == held
    assert read.manifest.root == root.hex()
    assert read.manifest._replace(entries={}) == bundles.manifest(3, root.hex())
    assert list(read.contents()) == [CID]
    assert read.read(f"content/{CID}") == FILE
    assert not any(map(read.altered, read.places))
    assert bundles.packed(read.manifest, _parts(read)) == GOOD


def test_another_reader_of_zip_agrees() -> None:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
        assert [info.filename for info in infos] == ["manifest.json", *bundles.opened(GOOD).places]
        assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
        assert not any(info.extra or info.comment or info.flag_bits for info in infos)
        manifest = json.loads(archive.read("manifest.json"))
        assert manifest["entries"][f"content/{CID}"]["size"] == len(FILE)


def test_every_changed_byte_is_noticed() -> None:
    for at in range(len(GOOD)):
        data = bytearray(GOOD)
        data[at] ^= 1 << at % 8
        try:
            read = bundles.opened(bytes(data))
            altered = [name for name in read.places if read.altered(name)]
        except InvalidError as error:
            altered = [error.code]
        assert len(altered) == 1, at
        assert altered[0] == "damaged_bundle" or altered[0] in bundles.opened(GOOD).places, at


def test_every_cut_is_noticed() -> None:
    for size in [*range(120), *range(120, len(GOOD), 7), len(GOOD) - 1]:
        with pytest.raises(InvalidError) as caught:
            bundles.opened(GOOD[:size])
        assert caught.value.code == ("damaged_bundle" if size >= 4 else "not_a_bundle")


def _parts(read: Bundle) -> list[bundle.Part]:
    return [bundle.in_memory(name, read.read(name)) for name in read.places]


def _zipped(
    change: Callable[[zipfile.ZipFile, list[tuple[zipfile.ZipInfo, bytes]]], None],
) -> bytes:
    """Return the good bundle, packed by another writer of ZIP in some other way."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as source, zipfile.ZipFile(target, "w") as archive:
        change(archive, [(info, source.read(info)) for info in source.infolist()])
    return target.getvalue()


def _deflated(archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    for info, data in entries:
        archive.writestr(info, data, zipfile.ZIP_DEFLATED)


def _dated(archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    for info, data in entries:
        info.date_time = (2024, 1, 1, 0, 0, 0)
        archive.writestr(info, data)


def _extra(archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    for info, data in entries:
        info.extra = struct.pack("<HHH", 0xCAFE, 2, 0)
        archive.writestr(info, data)


def _wide(archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    for info, data in entries:
        with archive.open(info.filename, "w", force_zip64=True) as stream:
            stream.write(data)


def _commented(archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    for info, data in entries:
        archive.writestr(info, data)
    archive.comment = b"hello"


def _turned(archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    for info, data in [entries[0], *entries[:0:-1]]:
        archive.writestr(info, data)


def _unlisted(archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    for info, data in entries:
        archive.writestr(info, data)
    archive.writestr("readme.txt", "not in the manifest")


def _twice(archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    for info, data in [*entries, entries[-1]]:
        archive.writestr(info, data)


def _manifest_last(archive: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    for info, data in [*entries[1:], entries[0]]:
        archive.writestr(info, data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "change",
    [_deflated, _dated, _extra, _wide, _commented, _turned, _unlisted, _twice, _manifest_last],
)
def test_zip_has_one_form_here(change: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        bundles.opened(_zipped(change))
    assert caught.value.code == "damaged_bundle"


def _at(needle: bytes, *, last: bool = False) -> int:
    return GOOD.rindex(needle) if last else GOOD.index(needle)


CENTRAL = _at(b"PK\x01\x02")
END = _at(b"PK\x05\x06", last=True)


@pytest.mark.parametrize(
    "data",
    [
        b"#!/bin/sh\n" + GOOD,  # something before it
        GOOD + b"\0",  # behind it
        GOOD + GOOD,
        GOOD[:CENTRAL] + b"gap" + GOOD[CENTRAL:],  # in between
        GOOD[:END] + b"PK\x06\x06" + bytes(52) + GOOD[END:],  # a directory of the second form
        GOOD[:CENTRAL] + GOOD[CENTRAL:].replace(b"proofs.jsonl", b"../../../etc"),
        GOOD[:CENTRAL].replace(b'proofs.jsonl{"h', b'../../../etc{"h') + GOOD[CENTRAL:],
        GOOD.replace(b"index.html", b"INDEX.HTML"),
        GOOD[:END] + GOOD[END:].replace(struct.pack("<HH", 6, 6), struct.pack("<HH", 65535, 65535)),
    ],
)
def test_what_else_a_zip_may_hold_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidError) as caught:
        bundles.opened(data)
    assert caught.value.code == "damaged_bundle"


@pytest.mark.parametrize("data", [b"", b"PK", b"hello", b"SQLite format 3\0" * 9])
def test_another_file_is_not_a_bundle(data: bytes) -> None:
    with pytest.raises(InvalidError) as caught:
        bundles.opened(data)
    assert caught.value.code == "not_a_bundle"


def _with_manifest(data: bytes) -> bytes:
    """Return the good bundle with another manifest, which everything else fits."""
    read = bundles.opened(GOOD)
    body = b"".join(
        bundle._local(name, place.size, place.crc) + read.read(name)
        for name, place in read.places.items()
    )
    crc = zlib.crc32(data)
    head = bundle._local("manifest.json", len(data), crc) + data
    tail = bundle._Tail()
    tail.entry("manifest.json", len(data), crc)
    for name, place in read.places.items():
        tail.entry(name, place.size, place.crc)
    return head + body + b"".join(tail.pieces())


def _changed(path: str, value: Any) -> bytes:
    read = bundles.opened(GOOD)
    whole = json.loads(read.manifest.to_bytes())
    at = whole
    *names, last = path.split("/")
    for name in names:
        at = at[name]
    if value is KeyError:
        del at[last]
    else:
        at[last] = value
    return _with_manifest(canonical.encode(whole))


HEX = "0" * 64
SUM = {"size": 0, "sha256": HEX}


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("schema", "twin.other/1", "schema"),
        ("more", 1, "exactly the members"),
        ("twin", None, "twin does not"),
        ("twin/asset_id", "EF" * 32, "hex digits"),
        ("twin/name", "", "name of the twin"),
        ("twin/name", "x" * 201, "name of the twin"),
        ("twin/name", ["car"], "name of the twin"),
        ("ledger/id", 5, "hex digits"),
        ("ledger/public_key", "nokey", "public_key"),
        ("ledger/public_key", None, "public_key"),
        ("ledger/profile", "", "profile"),
        ("checkpoint/size", True, "size"),
        ("checkpoint/size", 0, "size"),
        ("checkpoint/size", 1 << 60, "size"),
        ("checkpoint/root", HEX[:-1] + "g", "root"),
        ("entries", [], "entries"),
        ("entries/checkpoint", KeyError, "checkpoint is missing"),
        ("entries/proofs.jsonl", KeyError, "proofs.jsonl is missing"),
        ("entries/transactions.jsonl", KeyError, "transactions.jsonl is missing"),
        ("entries/../evil", SUM, "no entry"),
        ("entries/manifest.json", SUM, "no entry"),
        ("entries/content/../../evil", SUM, "no entry"),
        ("entries/checkpoint", {"size": 1 << 40, "sha256": HEX}, "too large"),
        ("entries/checkpoint", {"size": -1, "sha256": HEX}, "too large"),
        ("entries/checkpoint", {"size": 1.0, "sha256": HEX}, "too large"),
        ("entries/checkpoint", {"size": 1, "sha256": HEX.upper() + "x"}, "SHA-256"),
        ("entries/checkpoint", {"size": 1, "sha256": HEX}, "follow here"),
        ("left_out", {}, "left_out"),
        ("left_out", [{"what": "stream", "count": 1}], "neither"),
        ("left_out", [{"what": "stream", "stream": "a", "cid": CID, "count": 1}], "neither"),
        ("left_out", [{"what": "file", "cid": "bafyno", "count": 1}], "neither"),
        ("left_out", [{"what": "secret", "stream": "a", "count": 1}], "malformed"),
        ("left_out", [{"what": ["file"], "stream": "a", "count": 1}], "malformed"),
        ("left_out", [{"what": "stream", "stream": "a", "count": 0}], "malformed"),
        ("left_out", [{"what": "stream", "stream": "a", "from": 5, "count": 1}], "left_out.from"),
        ("left_out", ["speed"], "malformed"),
    ],
)
def test_a_strange_manifest_is_refused(path: str, value: Any, why: str) -> None:
    if path.startswith("entries/content"):
        whole = json.loads(bundles.opened(GOOD).manifest.to_bytes())
        whole["entries"]["content/../../evil"] = value
        data = _with_manifest(canonical.encode(whole))
    elif path == "entries/../evil":
        whole = json.loads(bundles.opened(GOOD).manifest.to_bytes())
        whole["entries"]["../evil"] = value
        data = _with_manifest(canonical.encode(whole))
    else:
        data = _changed(path, value)
    with pytest.raises(InvalidError, match=why) as caught:
        bundles.opened(data)
    assert caught.value.code == "damaged_bundle"


def test_a_manifest_has_one_spelling() -> None:
    plain = bundles.opened(GOOD).manifest.to_bytes()
    for data in (plain.replace(b":", b": "), plain + b"\n", plain[:-1], b"[" * 100_000, b"\xff"):
        with pytest.raises(InvalidError, match=r"not canonical|not JSON"):
            bundles.opened(_with_manifest(data))
    with pytest.raises(ConfigError) as caught:
        bundles.opened(_changed("schema", "twin.bundle/2"))
    assert caught.value.code == "newer_version"


def test_what_was_left_out_is_kept() -> None:
    left = (
        LeftOut("stream", stream="gps", since="2024-01-20", number=3),
        LeftOut("file", cid=CID),
        LeftOut("missing", cid=CID),
    )
    held, root = bundles.lines()
    about = bundles.manifest(3, root.hex())._replace(left_out=left)
    read = bundles.opened(bundles.packed(about, bundles.parts_of(held, b"note", None)))
    assert read.manifest.left_out == left
    assert "index.html" not in read.places


def _of_lines(transactions: bytes, proofs: bytes, size: int = 3) -> Bundle:
    parts = {"transactions.jsonl": transactions, "proofs.jsonl": proofs, "checkpoint": b"note"}
    about = bundles.manifest(size)
    made = [bundle.in_memory(name, data) for name, data in parts.items()]
    return bundles.opened(bundles.packed(about, made))


def _proof(index: int, height: int, time_ms: int) -> bytes:
    return Line(index, height, time_ms, b"", b"").proof()


@pytest.mark.parametrize(
    ("transactions", "proofs"),
    [
        (b"{}\n", b""),
        (b"", _proof(0, 1, 1)),
        (b"{}\n{}\n", _proof(0, 1, 1)),
        (b"{}\n{}\n", _proof(0, 1, 1) * 2),  # the same leaf twice
        (b"{}\n{}\n", _proof(1, 1, 1) + _proof(0, 1, 1)),
        (b"{}\n{}\n", _proof(0, 2, 1) + _proof(1, 1, 1)),  # blocks out of order
        (b"{}\n{}\n", _proof(0, 1, 2) + _proof(1, 2, 1)),  # times, too
        (b"{}\n{}\n", _proof(0, 1, 1) + _proof(1, 1, 2)),  # one block at two times
        (b"{}\n", _proof(3, 1, 1)),  # outside of the tree
        (b"{}", _proof(0, 1, 1)),  # no end
        (b"{}\n", _proof(0, 1, 1)[:-1]),
        (b"{}\n", _proof(0, 1, 1).replace(b":", b": ")),
        (b"{}\n", _proof(0, 1, 1).replace(b":1,", b":01,")),
        (b"{}\n", _proof(0, 1, 1).replace(b":1,", b":1e0,")),
        (b"{}\n", _proof(0, 1, 1).replace(b"[]", b'["AB"]')),
        (b"{}\n", _proof(0, 1, 1).replace(b"[]", b"[%s]" % b",".join([b'"%064d"' % 0] * 70))),
    ],
)
def test_lines_and_proofs_go_together(transactions: bytes, proofs: bytes) -> None:
    read = _of_lines(transactions, proofs)
    with pytest.raises(InvalidError) as caught:
        list(read.lines())
    assert caught.value.code == "damaged_bundle"


def test_a_line_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_LINE", 100)
    monkeypatch.setattr(bundle, "_PIECE", 64)
    read = _of_lines(b"x" * 300 + b"\n", _proof(0, 1, 1))
    with pytest.raises(InvalidError, match="too long"):
        list(read.lines())
    lines = b"".join(b"{%s}\n" % (b" " * count) for count in range(90))
    proofs = b"".join(_proof(at, at, at) for at in range(90))
    assert len(list(_of_lines(lines, proofs, 90).lines())) == 90


def test_a_bundle_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_BYTES", 2000)
    with pytest.raises(InvalidError) as caught:
        bundles.small()
    assert caught.value.code == "bundle_too_large"
    monkeypatch.undo()
    monkeypatch.setattr(bundle, "MAX_ENTRIES", 5)
    with pytest.raises(InvalidError, match="entries is not"):
        bundles.opened(GOOD)
    monkeypatch.undo()
    monkeypatch.setattr(bundle, "MAX_MANIFEST", 100)
    with pytest.raises(InvalidError, match="too large"):
        bundles.opened(GOOD)
    with pytest.raises(InvalidError, match="more than"):
        bundles.small()
    monkeypatch.undo()
    monkeypatch.setattr(bundle, "MAX_LEFT_OUT", 1)
    about = bundles.manifest()._replace(left_out=(LeftOut("file", cid=CID),) * 2)
    with pytest.raises(InvalidError, match="more than"):
        bundles.packed(about, [])


def test_the_text_of_an_error_is_short() -> None:
    whole = json.loads(bundles.opened(GOOD).manifest.to_bytes())
    whole["entries"]["x" * 1_000_000] = SUM
    with pytest.raises(InvalidError) as caught:
        bundles.opened(_with_manifest(canonical.encode(whole)))
    assert len(caught.value.message) < 300


NUMBER = "(0|[1-9][0-9]{0,14})"
RIGHT = re.compile(
    rf'\{{"height":{NUMBER},"index":{NUMBER},"path":\[((?:"[0-9a-f]{{64}}"(?:,"[0-9a-f]{{64}}")'
    rf'{{0,62}})?)\],"time_ms":{NUMBER}\}}'
)


def test_a_proof_is_read_as_it_is_written_or_not_at_all() -> None:
    held, _ = bundles.lines(40)
    proofs = [line.proof()[:-1] for line in held]
    random = Random(14)
    for _ in range(400):
        at = random.randrange(40)
        text = bytearray(proofs[at])
        where, change = random.randrange(len(text)), random.randrange(4)
        if change == 0:
            text[where] = random.choice(b'0aAg",[]{} \\\xff\xe9')
        elif change == 1:
            del text[where : where + random.choice((1, 2, 3, 67))]
        elif change == 2:
            text[where:where] = random.choice((b"0", b'"', b",", b" ", b'","', text[30:97]))
        else:
            text = text.replace(b'","', b",", 1)
        if b"\n" in text:
            continue
        right = RIGHT.fullmatch(text.decode("latin-1"))
        if right is not None and int(right[2]) >= 1 << 47:
            continue
        every = b"\n".join([*proofs[:at], bytes(text), *proofs[at + 1 :]]) + b"\n"
        read = _of_lines(b"{}\n" * 40, every, 1 << 47)
        (stretch,) = read.stretches()
        if right is None:
            with pytest.raises(InvalidError, match=f"line {at + 1} of"):
                list(read.lines_in(stretch))
            continue
        line = list(read.lines_in(stretch))[at]
        path = bytes.fromhex(re.sub('[",]', "", right[3]))
        assert line[:4] == (int(right[2]), int(right[1]), int(right[4]), path)


def test_a_proof_that_is_too_long_comes_after_those_before_it() -> None:
    long = _proof(1, 2, 2)[:-2] + b" " * 6000 + b"}\n"
    read = _of_lines(b"{}\n{}\n{}\n", _proof(0, 1, 1) + long + _proof(2, 3, 3))
    lines = read.lines()
    assert next(lines).position == 0
    with pytest.raises(InvalidError, match="line 2 of"):
        next(lines)


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "car.twin"
    path.write_bytes(bundles.small())
    with path.open("r+b") as stream:
        read = Bundle(stream, "car.twin")
        (stretch,) = read.stretches()
        stream.truncate(600)
        with pytest.raises(InvalidError, match="changed while it was read"):
            list(read.lines_in(stretch))
