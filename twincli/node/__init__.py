"""BigchainDB's HTTP and WebSocket API over a ledger."""
