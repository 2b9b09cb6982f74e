"""Commands on nodes, networks and the ledger's files."""
