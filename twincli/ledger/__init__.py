"""The embedded ledger: BigchainDB's ids and verdicts in one SQLite file, no server."""

from twincli.ledger.ledger import Ledger

__all__ = ["Ledger"]
