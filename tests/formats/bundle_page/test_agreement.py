"""Python and the page judge the same bundles alike, whatever was done to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import pytest

from tests.formats import bundles
from tests.formats.bundle_page.conftest import Ask
from tests.formats.bundle_page.making import LEDGER_KEY, made, note, placed, written
from twincli.cli.main import main
from twincli.crypto import canonical, cid
from twincli.crypto.ed25519 import KeyPair
from twincli.formats import bundle, pages
from twincli.model import did, record, times, transaction
from twincli.model.owners import of_keys
from twincli.services.proof.bundled import opened
from twincli.services.proof.verify import verify_file

ALICE, BOB, EVE = (KeyPair.from_seed(bytes([number]) * 32) for number in (1, 2, 3))


def _bundle() -> bytes:
    """Return a twin with appends, a grant, statements of two others, and a file left out."""
    output = transaction.Output(of_keys([ALICE.public_key]))
    facts = {"wheels": 4, "twin": record.envelope("asset", name="car")}
    create = transaction.create([ALICE.public_key], [output], facts)
    txs = [transaction.sign(create, [ALICE])]
    twin = txs[0]["id"]

    def said(kind: str, body: dict[str, object] | None = None, **values: object) -> None:
        envelope = record.envelope(kind, at=times.to_text(1_700_000_000_000), body=body)
        spend = transaction.Spend.of(own[-1])
        made_ = transaction.transfer([spend], [output], twin, {**values, "twin": envelope})
        own.append(transaction.sign(made_, [ALICE]))
        txs.append(own[-1])

    def stated(by: KeyPair) -> None:
        envelope = record.envelope(
            "statement", about=twin, says="event", body={"type": "refuelled"}, nonce=by.public_key
        )
        of = transaction.Output(of_keys([by.public_key]))
        tx = transaction.create([by.public_key], [of], {"twin": envelope})
        txs.append(transaction.sign(tx, [by]))

    own = [txs[0]]
    said("append", mileage=1200, share=0.1)
    said("grant", {"to": [did.key_did(BOB.public_key)], "role": "writer"})
    stated(BOB)
    stated(EVE)
    said("append", mileage=1250)
    return made(placed(txs), page=pages.page())


def _changed(data: bytes, random: Random) -> bytes:
    """Return a bundle with something done to it; mostly where there is no page, which is long."""
    page = data.find(b"index.html", data.find(b"PK\3\4", 4))
    end = data.find(b"proofs.jsonl", page + 10)
    at = random.randrange(len(data))
    while page < at < end and random.random() < 0.9:
        at = random.randrange(len(data))
    changes = (
        lambda: data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :],
        lambda: data[:at] + data[at + random.randrange(1, 100) :],
        lambda: data[:at] + data[max(0, at - 50) : at] + data[at:],
        lambda: data[:at],
        lambda: data + bytes(random.randrange(1, 9)),
    )
    return random.choices(changes, (8, 1, 1, 1, 1))[0]()


def _agree(ask: Ask, path: Path, data: bytes, what: str = "") -> str:
    path.write_bytes(data)
    mine = verify_file(str(path))
    theirs = ask("judge", path=str(path), anchors={}, pages=sorted(pages.known()))
    assert theirs["status"] == mine["status"], (what, mine["problem"], theirs["first"])
    return str(mine["status"])


def _many(ask: Ask, path: Path, count: int) -> None:
    data, random = _bundle(), Random(14)
    assert _agree(ask, path, data) == "consistent"
    found = {_agree(ask, path, _changed(data, random)) for _ in range(count)}
    assert found == {"failed"}


def test_a_hundred_changed_bundles(ask: Ask, tmp_path: Path) -> None:
    _many(ask, tmp_path / "car.twin", 100)


def test_both_name_the_part_that_an_altered_entry_belongs_to(
    ask: Ask, real: Path, tmp_path: Path
) -> None:
    path, data = tmp_path / "car.twin", real.read_bytes()
    parts = _Opened(real).parts
    assert len(parts) > 5
    for name, content in parts.items():
        at = data.index(content) + len(content) - 1
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        mine = verify_file(str(path))
        theirs = ask("judge", path=str(path), anchors={}, pages=sorted(pages.known()))
        failed = [
            {part for part, found in each["parts"].items() if found["status"] == "failed"}
            for each in (mine, theirs)
        ]
        assert failed[0] == failed[1] != set(), name


@pytest.mark.ci
def test_a_thousand_changed_bundles(ask: Ask, tmp_path: Path) -> None:
    _many(ask, tmp_path / "car.twin", 1000)


def test_an_anchor_decides(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "car.twin"
    path.write_bytes(_bundle())
    for anchors, status in (
        ({"issuer": did.key_did(ALICE.public_key)}, "verified"),
        ({"issuer": BOB.public_key}, "failed"),
        ({"ledgerKey": LEDGER_KEY.public_key}, "verified"),
        ({"asset": "ab" * 32}, "failed"),
        ({"root": "ab" * 32}, "undetermined"),
    ):
        known = sorted(pages.known())
        assert ask("judge", path=str(path), anchors=anchors, pages=known)["status"] == status


class _Opened:
    """A bundle that can be written again, its hashes right, with something else in it."""

    def __init__(self, path: Path) -> None:
        with opened(str(path)) as read:
            self.about = read.manifest
            self.parts = {name: read.read(name) for name in read.places}
            self.lines = list(read.lines())

    def with_parts(self, parts: Mapping[str, bytes], **about: object) -> bytes:
        listed = [bundle.in_memory(name, data) for name, data in parts.items()]
        return written(self.about._replace(**about), listed)  # type: ignore[arg-type]

    def saying(self, **about: object) -> bytes:
        return self.with_parts(self.parts, **about)

    def having(self, name: str, data: bytes) -> bytes:
        return self.with_parts({**self.parts, name: data})

    def without(self, name: str, **about: object) -> bytes:
        rest = {each: data for each, data in self.parts.items() if each != name}
        return self.with_parts(rest, **about)

    def with_lines(self, lines: Sequence[bundle.Line]) -> bytes:
        texts = {part.name: part for part in bundles.parts_of(lines, b"", None)}
        parts = dict(self.parts)
        for name in (bundle.TRANSACTIONS, bundle.PROOFS):
            with texts[name].open() as stream:
                parts[name] = stream.read()
        return self.with_parts(parts)


def _other_manifests(one: _Opened) -> Iterator[tuple[str, bytes]]:
    about = one.about
    for name in ("other", None):
        yield f"name {name}", one.saying(name=name)
    for line in one.lines:
        tx = json.loads(line.body)
        if tx["id"] != about.asset_id:
            yield f"about {tx['id']}", one.saying(asset_id=tx["id"])
            if tx["operation"] == "CREATE":
                named = record.creating_envelope(tx).get("name")
                yield f"about {named}", one.saying(asset_id=tx["id"], name=named)
    for what in ("asset_id", "ledger_id", "root"):
        yield what, one.saying(**{what: "ab" * 32})
    yield "public_key", one.saying(public_key=EVE.public_key)
    for profile in ("server-2.2.2", "unheard-of"):
        yield profile, one.saying(profile=profile)
    for more in (1, -1, -2):
        yield f"size {more}", one.saying(size=about.size + more)
    yield "nothing left out", one.saying(left_out=())


def _other_lines(one: _Opened) -> Iterator[tuple[str, bytes]]:
    lines = one.lines
    for at, line in enumerate(lines):
        before, after = lines[:at], lines[at + 1 :]
        yield f"without {at}", one.with_lines([*before, *after])
        yield f"twice {at}", one.with_lines([*before, line, line, *after])
        if at:
            yield f"swapped {at}", one.with_lines([*lines[: at - 1], line, lines[at - 1], *after])
        stated = json.loads(line.body)
        stated["metadata"] = {"mileage": 5}
        for other in (
            line._replace(height=line.height + 1),
            line._replace(time_ms=line.time_ms + 1),
            line._replace(position=line.position + 1),
            line._replace(path=line.path[:-32]),
            line._replace(body=line.body + b" "),
            line._replace(body=b"{}"),
            line._replace(body=canonical.encode(stated)),
        ):
            yield f"line {at}: {other}", one.with_lines([*before, other, *after])


def _other_entries(one: _Opened) -> Iterator[tuple[str, bytes]]:
    size, root = one.about.size, bytes.fromhex(one.about.root)
    origin = f"twincli/{one.about.ledger_id}"
    right = one.parts[bundle.CHECKPOINT]
    for data in (
        note(size, root, EVE, origin),
        note(size - 1, root, EVE, origin),
        note(size, root, EVE, "twincli/" + "ab" * 32),
        right + right.partition(b"\n\n")[2],
        right.replace(b"\n\n", b"\nmore\n\n"),
        b"",
    ):
        yield f"checkpoint {data!r}", one.having(bundle.CHECKPOINT, data)
    yield "no page", one.without(bundle.PAGE)
    yield "another page", one.having(bundle.PAGE, one.parts[bundle.PAGE] + b" ")
    nobodys = bundle.CONTENT + cid.of(b"nobody's").text
    for data in (b"nobody's", b"somebody's"):
        yield f"more content: {data!r}", one.having(nobodys, data)
    for name in [name for name in one.parts if name.startswith(bundle.CONTENT)]:
        named = name.removeprefix(bundle.CONTENT)
        yield f"without {name}", one.without(name)
        yield f"other {name}", one.having(name, b"other")
        for what in bundle.LEFT_OUT:
            for item in (
                bundle.LeftOut(what, cid=named),
                *(bundle.LeftOut(what, stream=stream) for stream in ("gps", "fuel", named)),
            ):
                yield f"left out: {item}", one.without(name, left_out=(item,))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle that ``twin`` wrote: of a car with all that one can have, by three."""
    place = tmp_path_factory.mktemp("real")
    readings = ({"timestamp": f"2024-01-0{day}T00:00:00Z", "speed": day} for day in (1, 2, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWIN_HOME", str(place / "home"))
        patch.setenv("TWIN_NO_PASSPHRASE", "1")
        patch.chdir(place)
        for name in ("report", "plan"):
            (place / f"{name}.txt").write_text(name)
        (place / "gps.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in readings))
        for line in (
            "keys new alice",
            "keys new bob",
            "keys new eve",
            "asset create car --owner alice --template vehicle-tracking-v1 --vin WVWZZZ1JZXW000001",
            "asset create engine --owner alice --parent car --power 90",
            "file attach car report.txt",
            "file attach car plan.txt --key eve --yes",
            "event add car refuelled --key eve --yes",
            "link add engine is_component_of car",
            "grant add car --to bob --scope event",
            "event add car inspection_completed --key bob --yes",
            "stream push car fuel --litres 12.5",
            "stream import car gps gps.jsonl",
            "cert issue car --number 7 --key alice",
            "asset append car --mileage 1200",
            "bundle export car -o car.twin",
        ):
            assert main([*line.split(), "--quiet"]) == 0, line
    return place / "car.twin"


def test_a_manifest_that_says_otherwise(ask: Ask, real: Path, tmp_path: Path) -> None:
    path = tmp_path / "car.twin"
    one = _Opened(real)
    assert _agree(ask, path, one.saying()) == "consistent"
    for what, data in _other_manifests(one):
        _agree(ask, path, data, what)
    assert _agree(ask, path, one.saying(name="other")) == "failed"
    assert ask("judge", path=str(path), anchors={})["first"]["code"] == "wrong_name"


@pytest.mark.ci
def test_lines_and_entries_changed_with_their_hashes(ask: Ask, real: Path, tmp_path: Path) -> None:
    one = _Opened(real)
    for what, data in (*_other_lines(one), *_other_entries(one)):
        _agree(ask, tmp_path / "car.twin", data, what)
