"""Several processes find in a bundle what one does."""

from __future__ import annotations

import json
import marshal
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.formats import bundles
from tests.ledger.chains import ALICE, BOB
from tests.services.proof import facts
from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.crypto import canonical, merkle
from twincli.formats import bundle
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.services.bundle.export import export
from twincli.services.proof import sharing
from twincli.services.proof.bundled import opened
from twincli.services.proof.verify import verify_file
from twincli.services.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twincli.formats.bundle import Bundle, Line, Stretch

Lines = list[bundle.Line]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = facts.facts(tmp_path_factory.mktemp("facts"))
    path = found.place / "car.twin"
    with Ledger.open(found.place / "ledger", create=False) as ledger, path.open("wb") as stream:
        keys, book = KeyStore(str(found.place / "keys")), Book(str(found.place / "book.db"))
        workspace = Workspace(EmbeddedClient(ledger), keys, book)
        export(workspace, found.blobs, found.car, "car.twin", write=stream.write)
    return path


class Here:
    """Stands for another process; does the same when it is asked for it."""

    slow = 0

    def __init__(self, path: str, stamp: str) -> None:
        self.path, self.asked = path, list[bundle.Stretch]()
        assert stamp
        self.left = self.slow

    @property
    def waiting(self) -> int:
        return len(self.asked)

    @property
    def has_answered(self) -> bool:
        self.left -= 1
        return self.left < 0

    def ask(self, stretch: Stretch) -> None:
        self.asked.append(stretch)

    def answer(self) -> Any:
        self.left = self.slow
        with opened(self.path) as read:
            root = bytes.fromhex(read.manifest.root)
            inclusions = merkle.Inclusions(read.manifest.size, root)
            rows = sharing.rows_of(read, self.asked.pop(0), inclusions)
        return marshal.loads(marshal.dumps(rows))

    def close(self) -> None:
        pass


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def share(count: int) -> None:
        monkeypatch.setattr(sharing, "cores", lambda: count)

    monkeypatch.setattr(sharing, "LARGE", 0)
    monkeypatch.setattr(bundle, "_STRETCH", 3)
    return share


def written(read: Bundle, lines: list[Line], *, cut: int = 0, profile: str = "strict") -> bytes:
    """Return a bundle with other lines, made as a bundle is."""
    parts = {part.name: part for part in bundles.parts_of(lines, b"", None)}
    for name in read.places:
        if name not in {bundle.TRANSACTIONS, bundle.PROOFS}:
            parts[name] = bundle.in_memory(name, read.read(name))
    if cut:
        with parts[bundle.PROOFS].open() as stream:
            parts[bundle.PROOFS] = bundle.in_memory(bundle.PROOFS, stream.read()[:-cut])
    pieces: list[bytes] = []
    about = read.manifest._replace(profile=profile)
    bundle.write(about, list(parts.values()), pieces.append)
    return b"".join(pieces)


def _said(line: Line, **other: Any) -> Line:
    return line._replace(body=canonical.encode({**json.loads(line.body), **other}))


def mutants(read: Bundle) -> Iterator[tuple[str, bytes]]:
    lines = list(read.lines())
    yield "as it was", written(read, lines)
    for at in (0, 1, 2, 7, len(lines) - 1):
        line, before, after = lines[at], lines[:at], lines[at + 1 :]
        for what, other in (
            ("another value", _said(line, metadata={"km": -1})),
            ("another key", line._replace(body=line.body.replace(_key(ALICE), _key(BOB)))),
            ("a blank", line._replace(body=line.body.replace(b":", b": ", 1))),
            ("twice", line._replace(body=line.body.replace(b'{"', b'{"id":"00","', 1))),
            ("no JSON", line._replace(body=b"{")),
            ("no UTF-8", line._replace(body=line.body[:-2] + b"\xff}")),
            ("no id", line._replace(body=b'{"id":7}')),
            ("a list", line._replace(body=b"[1]")),
            ("deep", line._replace(body=b"[" * 100_000)),
            ("another proof", line._replace(path=bytes(32) + line.path[32:])),
            ("a short proof", line._replace(path=line.path[:-32])),
            ("a later time", line._replace(time_ms=line.time_ms + 1)),
            ("another block", line._replace(height=line.height + 1)),
            ("outside", line._replace(position=read.manifest.size)),
        ):
            yield f"{what} at {at}", written(read, [*before, other, *after])
        yield f"none at {at}", written(read, [*before, *after])
        yield f"two at {at}", written(read, [*before, line, line, *after])
        yield f"swapped at {at}", written(read, [*after[:1], *before, line, *after[1:]])
    yield "fewer proofs", written(read, lines, cut=800)
    yield "half a proof", written(read, lines, cut=10)
    yield "another profile", written(read, lines, profile="server-2.2.2")


def _key(key: Any) -> bytes:
    return str(key.public_key).encode()


@pytest.mark.parametrize("slow", [0, 1, 9])
def test_what_is_found_does_not_depend_on_who_looks(
    made: Path,
    tmp_path: Path,
    shared: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    slow: int,
) -> None:
    monkeypatch.setattr(sharing, "Helper", Here)
    monkeypatch.setattr(Here, "slow", slow)
    path = tmp_path / "car.twin"
    with opened(str(made)) as read:
        every = list(mutants(read))
    statuses = set()
    for what, data in every[slow % 4 :: 4]:
        path.write_bytes(data)
        shared(1)
        alone = verify_file(str(path))
        shared(3)
        assert verify_file(str(path)) == alone, what
        statuses.add(alone["status"])
    assert "failed" in statuses


def test_other_processes(made: Path, tmp_path: Path, shared: Callable[[int], None]) -> None:
    shared(3)
    seen: list[tuple[int, int]] = []
    document = verify_file(str(made), progress=lambda done, whole: seen.append((done, whole)))
    assert document["status"] == "consistent"
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    path = tmp_path / "car.twin"
    with opened(str(made)) as read:
        lines = list(read.lines())
        path.write_bytes(written(read, [*lines[:9], _said(lines[9], metadata=None), *lines[10:]]))
    assert verify_file(str(path))["status"] == "failed"


def test_a_process_that_ends_is_not_a_verdict(
    made: Path, shared: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared(2)
    monkeypatch.setenv("PYTHONHOME", os.devnull)
    with pytest.raises(RuntimeError, match="a verifying process ended"):
        verify_file(str(made))


@pytest.mark.parametrize("said", ["", "x", "\0" * 7 + "xhalf"])
def test_without_other_processes_one_does_it_all(
    made: Path, shared: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    shared(1)
    wanted = verify_file(str(made))
    shared(3)
    started = subprocess.Popen
    code = f"import os; os.write(1, {said!r}.encode()); os.kill(os.getpid(), 9)"

    def killed(words: list[str], **more: Any) -> Any:
        return started([words[0], "-c", code], **more)

    monkeypatch.setattr(subprocess, "Popen", killed)
    assert verify_file(str(made)) == wanted

    def refused(*_: Any, **__: Any) -> Any:
        raise BlockingIOError

    monkeypatch.setattr(subprocess, "Popen", refused)
    assert verify_file(str(made)) == wanted
