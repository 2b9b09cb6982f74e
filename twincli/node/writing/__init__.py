"""The way of a transaction from a request to the ledger."""
