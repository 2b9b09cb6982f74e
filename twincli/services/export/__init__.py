"""Twins handed to other systems in their formats."""
