"""Maintenance of twins: what was done, and what is due."""
