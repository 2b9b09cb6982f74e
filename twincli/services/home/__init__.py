"""The installation: backup, checks, status, the demo."""
