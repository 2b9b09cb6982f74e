"""Nodes and networks: serving, pushing, pulling."""
