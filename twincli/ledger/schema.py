"""The form of ``ledger.db``."""

APPLICATION_ID = 0x7477696E  # "twin"
SCHEMA_VERSION = 2

_COMMON = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE block (
    height INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    app_hash BLOB NOT NULL,
    root BLOB NOT NULL
);
CREATE TABLE tx (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    asset INTEGER NOT NULL,
    height INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX tx_id ON tx (id);
CREATE INDEX tx_asset ON tx (asset);
CREATE INDEX tx_corrects ON tx (asset) WHERE instr(body, '"corrects":');
CREATE TABLE unspent (
    asset INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    output_index INTEGER NOT NULL,
    PRIMARY KEY (asset, seq, output_index)
) WITHOUT ROWID;
CREATE TABLE spent (
    seq INTEGER NOT NULL,
    output_index INTEGER NOT NULL,
    by_seq INTEGER NOT NULL,
    PRIMARY KEY (seq, output_index)
) WITHOUT ROWID;
CREATE TABLE once (
    asset INTEGER NOT NULL,
    token TEXT NOT NULL,
    signers TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (asset, token, signers)
) WITHOUT ROWID;
"""

_TREE_1 = """
CREATE TABLE tree (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB NOT NULL);
"""

# The height binds the last block: an empty one leaves no other trace. `primary_id` keeps twins of
# one template apart; it is what the local sequencer knows, and no rule of validity.
SINCE_2 = """
CREATE TABLE tree (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    state BLOB NOT NULL,
    height INTEGER NOT NULL
);
CREATE TABLE primary_id (
    family TEXT NOT NULL,
    identifier TEXT NOT NULL,
    controller TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (family, identifier, controller)
) WITHOUT ROWID;
"""

_TABLES = {1: _COMMON + _TREE_1, 2: _COMMON + SINCE_2}


def statements(version: int = SCHEMA_VERSION) -> list[str]:
    """Return what makes the tables and indexes of a schema version."""
    return split(_TABLES[version])


def split(text: str) -> list[str]:
    """Return the statements of a text."""
    return [statement.strip() for statement in text.split(";") if statement.strip()]
