"""A twin in one file: what belongs in it, and what one holds."""
