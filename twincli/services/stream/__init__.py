"""Streams of twins: readings, each under a signature."""
