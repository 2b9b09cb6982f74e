"""Typed documents, no I/O: transactions, owners, envelopes, identifiers."""
