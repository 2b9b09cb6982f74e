"""Credentials of others: the canonical form of their RDF graph."""
