"""Blocks of IPFS: dag-pb nodes with UnixFS inside, read strictly.

What is read is a stranger's. A block is bounded by its reader; nothing here costs more than its
length.

Source: dag-pb and UnixFS 1.0 of the IPLD and IPFS specifications.
"""

from __future__ import annotations

from twincli.crypto import cid as _cid
from twincli.errors import InvalidError
from twincli.values import NamedTuple

_RAW_DATA, _DIRECTORY, _FILE = 0, 1, 2


class Node(NamedTuple):
    """A node of a file.

    Attributes:
        data: Bytes of the file that are in the node itself.
        links: The CIDs of its parts, in bytes.
        sizes: How many bytes of the file each part has; empty where it is not stated.
    """

    data: bytes
    links: tuple[bytes, ...]
    sizes: tuple[int, ...]


def node(block: bytes) -> Node:
    """Read a node.

    Raises:
        InvalidError: ``invalid_car``: it is malformed, or a directory.
    """
    links: list[bytes] = []
    content = b""
    for number, value in _fields(block):
        if number == 2 and isinstance(value, bytes):
            found = [item for field, item in _fields(value) if field == 1]
            if len(found) != 1 or not isinstance(found[0], bytes):
                raise malformed("a link without a CID")
            links.append(found[0])
        elif number == 1 and isinstance(value, bytes):
            content = value
        else:
            raise malformed("an unknown member of a node")
    kind, data, sizes = None, b"", []
    for number, value in _fields(content):
        if number == 1:
            kind = value
        elif number == 2 and isinstance(value, bytes):
            data = value
        elif number == 4 and isinstance(value, int):
            sizes.append(value)
    if kind == _DIRECTORY:
        raise malformed("a directory; only a single file can be taken")
    if kind not in (_RAW_DATA, _FILE):
        raise malformed("neither a file nor a part of one")
    if sizes and len(sizes) != len(links):
        raise malformed("a file whose parts and sizes differ in number")
    return Node(data, tuple(links), tuple(sizes))


def _fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Return the fields of a protobuf message: number, and a number or bytes."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
            found.append((key >> 3, value))
        elif key & 7 == 2:
            size, at = varint(data, at)
            if at + size > len(data):
                raise malformed("a node that is cut short")
            found.append((key >> 3, data[at : at + size]))
            at += size
        else:
            raise malformed("an unknown type of field")
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number as multiformats write it, and where it ends.

    Raises:
        InvalidError: ``invalid_car``: it is cut short, longer than 63 bits or than it needs to be.
    """
    value = 0
    for count in range(9):
        if at + count >= len(data):
            break
        byte = data[at + count]
        value |= (byte & 127) << (7 * count)
        if byte < 128:
            if byte == 0 and count:
                break
            return value, at + count + 1
    raise malformed("a malformed number")


def cid_at(data: bytes, at: int = 0) -> tuple[bytes, int]:
    """Return the CID at the beginning of a block of a CAR, and where it ends.

    Only SHA-256 is known, in version 1 and in version 0.

    Raises:
        InvalidError: ``invalid_car``.
    """
    if data[at : at + 2] == b"\x12\x20":
        digest = data[at + 2 : at + 34]
        if len(digest) != 32:
            raise malformed("a CID that is cut short")
        return _cid.Cid(_cid.DAG_PB, digest).encoded, at + 34
    version, place = varint(data, at)
    _, place = varint(data, place)
    kind, place = varint(data, place)
    size, place = varint(data, place)
    if version != 1 or kind != 0x12 or size != 32 or place + 32 > len(data):
        raise malformed("a CID that is not of SHA-256")
    return data[at : place + 32], place + 32


def malformed(what: str) -> InvalidError:
    """Return the error for a CAR that holds something other than a file."""
    return InvalidError(f"the CAR holds {what}", code="invalid_car")
