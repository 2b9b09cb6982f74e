"""Links: what the owner of a twin says belongs to it."""
