"""``twin stream``."""
