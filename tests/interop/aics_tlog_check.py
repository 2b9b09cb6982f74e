"""Run by test_aics_tlog.py where ``aics-tlog`` is installed: checks what stdin holds."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import aics_tlog as other  # type: ignore[import-not-found,unused-ignore]


def path_of(given: dict[str, Any]) -> list[bytes]:
    """Return the hashes of a proof."""
    return [base64.b64decode(part) for part in given["path"]]


def main() -> None:
    """Check everything; print how much of it was right, and how much was refused once altered."""
    given = json.load(sys.stdin)
    log, witness = other.parse_vkey(given["log"]), other.parse_vkey(given["witness"])
    counts = {"checkpoints": 0, "proofs": 0, "growths": 0, "tiles": 0, "refused": 0}
    for one in given["checkpoints"]:
        note = other.parse_note(one["note"])
        found = other.verify_checkpoint(note, log, [witness], quorum=1)
        counts["checkpoints"] += bool(found.ok)
        altered = other.parse_note(one["note"].replace(f"\n{one['size']}\n", "\n999\n"))
        counts["refused"] += not other.verify_checkpoint(altered, log, [witness], quorum=1).ok
        tree = other.parse_checkpoint(note.text)
        for proof in one["proofs"]:
            data, leaf, path = bytes.fromhex(proof["data"]), proof["leaf"], path_of(proof)
            check = other.verify_leaf_inclusion
            counts["proofs"] += bool(check(data, leaf, tree.size, path, tree.root))
            other_data = data[:-1] + bytes([data[-1] ^ 1])
            counts["refused"] += not check(other_data, leaf, tree.size, path, tree.root)
        growth = one["growth"]
        if growth is not None:
            root, path = bytes.fromhex(growth["root"]), path_of(growth)
            size, check = growth["size"], other.verify_consistency
            counts["growths"] += bool(check(size, tree.size, root, tree.root, path))
            counts["refused"] += not check(size, tree.size, bytes(32), tree.root, path)
    reader = other.MemoryTileReader(
        {name: bytes.fromhex(data) for name, data in given["tiles"].items()}
    )
    last = other.parse_checkpoint(other.parse_note(given["checkpoints"][-1]["note"]).text)
    if other.tree_root_from_tiles(reader, last.size) == last.root:
        counts["tiles"] = len(given["tiles"])
    json.dump(counts, sys.stdout)


main()
