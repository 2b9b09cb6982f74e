"""Blobs by their CID."""
