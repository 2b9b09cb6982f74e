"""Encrypted streams and files: who can open them, and to whom they are encrypted."""
