"""The form of ``ledger.db``."""

APPLICATION_ID = 0x7477696E  # "twin"
SCHEMA_VERSION = 1

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE block (
    height INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    app_hash BLOB NOT NULL,
    root BLOB NOT NULL
);
CREATE TABLE tree (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB NOT NULL);
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
