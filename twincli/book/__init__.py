"""Local names: what this machine calls the twins on a ledger, and other people."""
