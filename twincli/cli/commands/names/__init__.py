"""Commands on names and identities."""
