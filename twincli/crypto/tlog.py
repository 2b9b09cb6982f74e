"""The texts of a transparency log: checkpoints, proofs of inclusion, and what a witness is sent.

Reading checks the form alone; who signed, and whether the hashes lead to the root, is asked with
``notes.verify``, ``Proof.leads_to`` and ``Submission.is_consistent``.

Source: c2sp.org/tlog-checkpoint, c2sp.org/tlog-proof, c2sp.org/tlog-witness. Vectors in
``tests/vectors/tlog.json``.
"""

from __future__ import annotations

from twincli.crypto import merkle, notes
from twincli.crypto.notes import Note, base64_of, from_base64
from twincli.errors import InvalidError, cut
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ORIGIN = "twincli/"
"""What the origin of a ledger begins with; its id follows."""

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 63
"""Hashes of a proof at most."""
MAX_EXTRA = 1 << 12
"""Bytes of extra data in a proof."""
MAX_PROOF = notes.MAX_BYTES + MAX_PATH * 48 + MAX_EXTRA * 2
"""Bytes of a proof, or of what a witness is sent."""

_MAX_SIZE = 1 << 63
_EXTRA_BYTES = 16


class Checkpoint(NamedTuple):
    """What a log commits to.

    Attributes:
        origin: Which log.
        size: Number of leaves.
        root: Root over them, 32 bytes.
        extensions: Further lines, whose meaning is the log's own.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is signed."""
        lines = (self.origin, str(self.size), base64_of(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


class Proof(NamedTuple):
    """That a leaf is in the tree of a checkpoint.

    Attributes:
        leaf: Which one, from 0.
        path: The hashes that lead to the root, the lowest first.
        note: The checkpoint, as it was signed.
        extra: What is needed beside a record to make its leaf; see ``extra_of``.
    """

    leaf: int
    path: tuple[bytes, ...]
    note: Note
    extra: bytes = b""

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint without its signatures."""
        return parse_checkpoint(self.note.text)

    def leads_to(self, data: bytes) -> bool:
        """Say whether the leaf of these data is in the tree at this place."""
        tree = self.checkpoint
        hashed = merkle.leaf_hash(data)
        return merkle.verify_inclusion(hashed, self.leaf, tree.size, self.path, tree.root)

    def to_bytes(self) -> bytes:
        """Return the proof as a file ``.tlog-proof`` holds it."""
        lines = [PROOF_HEADER]
        if self.extra:
            lines.append(f"extra {base64_of(self.extra)}")
        lines += [f"index {self.leaf}", *map(base64_of, self.path), "", ""]
        return "\n".join(lines).encode() + self.note.to_bytes()


class Submission(NamedTuple):
    """A checkpoint, and that its tree is an earlier one with leaves appended.

    Attributes:
        old_size: Leaves of the earlier tree.
        path: The hashes that show it.
        note: The checkpoint, as it was signed.
    """

    old_size: int
    path: tuple[bytes, ...]
    note: Note

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint without its signatures."""
        return parse_checkpoint(self.note.text)

    def is_consistent(self, old_root: bytes) -> bool:
        """Say whether the tree is the one with this earlier root with leaves appended."""
        tree = self.checkpoint
        return merkle.verify_consistency(self.old_size, tree.size, self.path, old_root, tree.root)

    def to_bytes(self) -> bytes:
        """Return the body of a request ``add-checkpoint``."""
        lines = [f"old {self.old_size}", *map(base64_of, self.path), "", ""]
        return "\n".join(lines).encode() + self.note.to_bytes()


def origin_of(ledger_id: str) -> str:
    """Return the origin of a ledger's checkpoints, which is also the name of its key."""
    return ORIGIN + ledger_id


def extra_of(height: int, time_ms: int) -> bytes:
    """Return the extra data of a proof: with them and its id a transaction is a leaf."""
    return height.to_bytes(8, "big") + time_ms.to_bytes(8, "big")


def place_of(extra: bytes) -> tuple[int, int]:
    """Return the height and time that the extra data of a proof state.

    Raises:
        InvalidError: ``invalid_proof``: they are not those of a ledger.
    """
    if len(extra) != _EXTRA_BYTES:
        raise _bad_proof("its extra data are not the height and time of a block")
    return int.from_bytes(extra[:8], "big"), int.from_bytes(extra[8:], "big")


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that the text of a note holds.

    Raises:
        InvalidError: ``invalid_checkpoint``.
    """
    lines = text.split("\n")[:-1]
    if len(lines) < 3 or "" in lines:
        raise _bad_checkpoint("it has not three lines or more, none of them empty")
    size = _number(lines[1])
    if size is None:
        raise _bad_checkpoint(f"this is not a size: {cut(lines[1])!r}")
    root = from_base64(lines[2])
    if root is None or len(root) != merkle.HASH_BYTES:
        raise _bad_checkpoint(f"this is not a root in base64: {cut(lines[2])!r}")
    return Checkpoint(lines[0], size, root, tuple(lines[3:]))


def parse_proof(data: bytes) -> Proof:
    """Return the proof that a file ``.tlog-proof`` holds.

    Raises:
        InvalidError: ``invalid_proof``, ``invalid_note``, ``invalid_checkpoint``.
    """
    lines, note = _head(data, _bad_proof)
    if not lines or lines.pop(0) != PROOF_HEADER:
        raise _bad_proof(f"its first line is not {PROOF_HEADER}")
    extra: bytes | None = b""
    if lines and lines[0].startswith("extra "):
        encoded = lines.pop(0).removeprefix("extra ")
        extra = from_base64(encoded) if 0 < len(encoded) <= 2 * MAX_EXTRA else None
    index = _number(lines[0].removeprefix("index ")) if lines else None
    if extra is None:
        raise _bad_proof("its extra data are malformed")
    if index is None or not lines[0].startswith("index "):
        raise _bad_proof("it does not say the index of the leaf")
    return Proof(index, _path(lines[1:], _bad_proof), note, extra)


def parse_submission(data: bytes) -> Submission:
    """Return what the body of a request ``add-checkpoint`` holds.

    Raises:
        InvalidError: ``invalid_submission``, ``invalid_note``, ``invalid_checkpoint``.
    """
    lines, note = _head(data, _bad_submission)
    old = _number(lines[0].removeprefix("old ")) if lines else None
    if old is None or not lines[0].startswith("old "):
        raise _bad_submission("it does not say the size of the earlier tree")
    return Submission(old, _path(lines[1:], _bad_submission), note)


def _head(data: bytes, bad: Callable[[str], InvalidError]) -> tuple[list[str], Note]:
    """Return the lines before the first empty line, and the note behind it."""
    if len(data) > MAX_PROOF:
        raise bad(f"it has more than {MAX_PROOF} bytes")
    head, gap, rest = data.partition(b"\n\n")
    if not gap:
        raise bad("it has no checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise bad("it has characters that are not ASCII") from error
    note = notes.parse(rest)
    parse_checkpoint(note.text)
    return lines, note


def _path(lines: Sequence[str], bad: Callable[[str], InvalidError]) -> tuple[bytes, ...]:
    if len(lines) > MAX_PATH:
        raise bad(f"it has more than {MAX_PATH} hashes")
    path = [from_base64(line) for line in lines]
    found = tuple(part for part in path if part is not None and len(part) == merkle.HASH_BYTES)
    if len(found) != len(path):
        raise bad("one of its lines is not a hash in base64")
    return found


def _number(text: str) -> int | None:
    """Return a decimal number without leading zeros, below 2**63; None: it is not one."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or (text[0] == "0" != text):
        return None
    number = int(text)
    return number if number < _MAX_SIZE else None


def _bad_checkpoint(why: str) -> InvalidError:
    return InvalidError(f"the checkpoint cannot be read: {why}", code="invalid_checkpoint")


def _bad_proof(why: str) -> InvalidError:
    return InvalidError(f"the proof cannot be read: {why}", code="invalid_proof")


def _bad_submission(why: str) -> InvalidError:
    return InvalidError(
        f"the request to a witness cannot be read: {why}", code="invalid_submission"
    )
