"""Local names, and identities."""
