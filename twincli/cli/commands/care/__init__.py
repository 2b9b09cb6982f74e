"""Maintenance of twins."""
