"""A witness cosigns what follows, and nothing else; the answers are those of the specification."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from twincli.crypto import merkle, notes, tlog
from twincli.crypto.ed25519 import KeyPair
from twincli.crypto.notes import COSIGNATURE, ED25519, Note, VerifierKey
from twincli.crypto.tlog import Checkpoint, Submission
from twincli.errors import ConfigError
from twincli.proof.witness import Witness, read_logs

LOG, OTHER, SELF = (KeyPair.from_seed(bytes([n]) * 32) for n in range(3))
KEY = VerifierKey("log", ED25519, LOG.public_bytes)
OWN = VerifierKey("witness", COSIGNATURE, SELF.public_bytes)
HASHES = [merkle.leaf_hash(b"%d" % n) for n in range(20)]
FORKED = [*HASHES[:4], merkle.leaf_hash(b"forked"), *HASHES[5:]]
NOW = 1_700_000_000


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(OWN, SELF, {"log": (KEY,)}, str(tmp_path / "kept"))


def signed(
    size: int, hashes: list[bytes] = HASHES, *, signer: KeyPair = LOG, origin: str = "log"
) -> Note:
    text = Checkpoint(origin, size, merkle.root_of(hashes[:size])).text
    return Note(text, (notes.sign(text, "log", signer),))


def asked(old: int, size: int, hashes: list[bytes] = HASHES) -> bytes:
    path = tuple(merkle.consistency_path(hashes[:size], old))
    return Submission(old, path, signed(size, hashes)).to_bytes()


def cosigned(witness: Witness, body: bytes) -> None:
    answer = witness.add_checkpoint(body, NOW)
    assert answer.status == 200, answer.text
    text = tlog.parse_submission(body).note.text
    (line,) = answer.text.removesuffix("\n").split("\n")
    note = Note(text, (notes.parse_line(line),))
    assert notes.verify(note, [OWN]) == [(OWN, NOW)]


def test_each_checkpoint_that_follows_the_last(witness: Witness) -> None:
    for old, size in ((0, 3), (3, 3), (3, 7), (7, 8), (8, 20), (20, 20)):
        cosigned(witness, asked(old, size))
        last = witness.last("log")
        assert last is not None
        assert last.size == size


def test_an_empty_log_first(witness: Witness) -> None:
    cosigned(witness, asked(0, 0))
    cosigned(witness, asked(0, 0))
    cosigned(witness, asked(0, 5))


def refused(witness: Witness, body: bytes, status: int, text: str | None = None) -> None:
    before = witness.last("log")
    answer = witness.add_checkpoint(body, NOW)
    assert answer.status == status
    assert text in {None, answer.text}
    assert "—" not in answer.text
    assert witness.last("log") == before


def test_what_does_not_follow(witness: Witness) -> None:
    cosigned(witness, asked(0, 7))
    refused(witness, asked(0, 7), 409, "7\n")
    refused(witness, asked(3, 9), 409, "7\n")
    refused(witness, asked(8, 9), 409, "7\n")
    refused(witness, asked(7, 7, FORKED), 409, "7\n")
    refused(witness, asked(7, 9, FORKED), 422)
    refused(witness, Submission(7, (), signed(9)).to_bytes(), 422)
    refused(witness, Submission(7, (HASHES[0],), signed(7)).to_bytes(), 422)
    refused(witness, Submission(7, (), signed(6)).to_bytes(), 400)
    refused(witness, b"old 7\n", 400)
    refused(witness, b"", 400)
    cosigned(witness, asked(7, 9))


def test_a_proof_from_nothing_is_empty(witness: Witness) -> None:
    refused(witness, Submission(0, (HASHES[0],), signed(7)).to_bytes(), 422)
    refused(witness, asked(2, 7), 409, "0\n")


def test_who_signed(witness: Witness) -> None:
    def body(note: Note) -> bytes:
        return Submission(0, (), note).to_bytes()

    refused(witness, body(signed(7, origin="another")), 404)
    refused(witness, body(signed(7, signer=OTHER)), 403)
    text = signed(7).text
    wrong = notes.sign(text, "log", LOG)._replace(data=bytes(64))
    refused(witness, body(Note(text, (wrong,))), 403)
    stranger = notes.sign(text, "stranger", OTHER)
    refused(witness, body(Note(text, (stranger,))), 403)
    # Signatures of others are passed over, and not kept: the witness cannot vouch for them.
    cosigned(witness, body(signed(7).with_signatures([stranger])))
    (path,) = Path(witness._directory).glob("*.checkpoint")
    kept = notes.parse(path.read_bytes())
    assert [line.name for line in kept.signatures] == ["log", "witness"]


def test_it_knows_what_it_cosigned_after_a_restart(witness: Witness, tmp_path: Path) -> None:
    cosigned(witness, asked(0, 7))
    again = Witness(OWN, SELF, {"log": (KEY,)}, str(tmp_path / "kept"))
    refused(again, asked(0, 9, FORKED), 409, "7\n")
    cosigned(again, asked(7, 9))


@pytest.mark.parametrize("data", [b"", b"x" * 400_000, signed(3, origin="other").to_bytes()])
def test_nothing_is_cosigned_when_what_was_kept_is_damaged(witness: Witness, data: bytes) -> None:
    cosigned(witness, asked(0, 7))
    (path,) = Path(witness._directory).glob("*.checkpoint")
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        witness.add_checkpoint(asked(7, 9), NOW)
    assert caught.value.code == "damaged_checkpoint"


def test_two_logs_are_kept_apart(tmp_path: Path) -> None:
    logs = {"log": (KEY,), "another": (KEY,)}
    witness = Witness(OWN, SELF, logs, str(tmp_path / "kept"))
    cosigned(witness, asked(0, 7))
    cosigned(witness, Submission(0, (), signed(3, origin="another")).to_bytes())
    assert len(list((tmp_path / "kept").glob("*.checkpoint"))) == 2
    assert os.stat(tmp_path / "kept").st_mode & 0o077 == 0


def test_of_two_forks_at_once_one_is_cosigned(tmp_path: Path) -> None:
    """Two processes share the directory; here two objects do, which hold the same lock."""
    for turn in range(10):
        place = str(tmp_path / f"kept{turn}")
        both = [Witness(OWN, SELF, {"log": (KEY,)}, place) for _ in range(2)]
        bodies = [asked(0, 9), asked(0, 9, FORKED)]
        with ThreadPoolExecutor(2) as threads:
            found = list(threads.map(lambda one, body: one.add_checkpoint(body, NOW), both, bodies))
        assert sorted(answer.status for answer in found) == [200, 409]


# --- The file of logs -----------------------------------------------------------------------------


def test_logs_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    newer = VerifierKey("log", ED25519, OTHER.public_bytes)
    lines = ("# logs", "", KEY.text, f"  {newer.text} ", f"{KEY.text} go.sum database tree")
    path.write_text("\r\n".join(lines))
    assert read_logs(str(path)) == {"log": (KEY, newer), "go.sum database tree": (KEY,)}


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "log\n", f"{KEY.text}\nno\n", f"log {KEY.text}\n", "\xff\xfe"]
)
def test_a_file_that_names_no_logs(tmp_path: Path, text: str) -> None:
    path = tmp_path / "logs"
    path.write_bytes(text.encode("latin-1"))
    for file in (path, tmp_path / "missing"):
        with pytest.raises(ConfigError) as caught:
            read_logs(str(file))
        assert caught.value.code == "bad_logs"


def test_a_file_of_too_many_logs(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    path.write_text("".join(f"{KEY.text} log {number}\n" for number in range(1001)))
    with pytest.raises(ConfigError, match="more than 1000"):
        read_logs(str(path))
