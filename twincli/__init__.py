"""twincli: git for physical things.

Identities for people and devices, digital twins of what they own, recorded as signed BigchainDB
transactions. Everything the ``twin`` command does can be done from Python; see ``twincli.ledger``,
``twincli.model.transaction`` and ``twincli.services``.
"""

__version__ = "0.1.0"

BUILD_TIME_MS = 1_795_219_200_000
"""2026-11-21, when this version was made, in milliseconds since the epoch: no clock is earlier."""
