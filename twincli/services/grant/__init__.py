"""Grants: whom the owner of a twin allows to write about it."""
