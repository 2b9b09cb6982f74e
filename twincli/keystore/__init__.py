"""Key files: making, reading, unlocking. A secret is asked for through a ``SecretSource``."""
