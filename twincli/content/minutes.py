"""The minutes of chunks as bytes, by CID: ``rollups.db``, made again from the chunks."""

from __future__ import annotations

import zlib

from twincli.content.derived import Derived
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
_SCHEMA = """
CREATE TABLE minutes (
    cid TEXT NOT NULL, series TEXT NOT NULL, kind TEXT NOT NULL, data BLOB NOT NULL,
    "check" INTEGER NOT NULL
);
CREATE UNIQUE INDEX minutes_cid ON minutes (cid, series);
"""


class Minutes(Derived):
    """The open file. Several processes may use one.

    Args:
        path: Its name, or ``:memory:``.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, VERSION, _SCHEMA)

    def get(self, cid: str) -> dict[str, tuple[str, bytes]] | None:
        """Return the kind of each series of a chunk, and its minutes, empty where it has none.

        None where they are not kept, or damaged; the minutes check themselves when they are read.

        Raises:
            ConfigError: ``cannot_write``.
        """
        found = self.all('SELECT series, kind, data, "check" FROM minutes WHERE cid = ?', cid)
        for series, kind, data, check in found:
            if _check(cid, series, kind) != check or not isinstance(data, bytes):
                return None
        if not found:
            return None
        return {series: (kind, data) for series, kind, data, _ in found}

    def put(self, many: Mapping[str, Mapping[str, tuple[str, bytes]]]) -> None:
        """Keep the series of chunks, as `get` returns them.

        Raises:
            ConfigError: ``cannot_write``.
        """
        with self.writing() as connection:
            connection.executemany("DELETE FROM minutes WHERE cid = ?", [(cid,) for cid in many])
            connection.executemany(
                "INSERT INTO minutes VALUES (?, ?, ?, ?, ?)",
                [
                    (cid, series, kind, data, _check(cid, series, kind))
                    for cid, all_series in many.items()
                    for series, (kind, data) in all_series.items()
                ],
            )


def _check(cid: str, series: str, kind: str) -> int:
    """Return a checksum of what the bytes do not check themselves."""
    return zlib.crc32(f"{cid}\0{series}\0{kind}".encode("utf-8", "surrogatepass"))
