"""Batches: many writes of many twins from one file."""
