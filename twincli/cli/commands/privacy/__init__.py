"""Commands on what is encrypted."""
