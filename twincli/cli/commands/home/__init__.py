"""Commands on the installation: backup, settings, checks, demo, help."""
