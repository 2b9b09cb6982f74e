"""``twin query``: questions about streams."""
