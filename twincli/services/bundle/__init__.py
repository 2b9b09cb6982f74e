"""A twin in one file: what belongs into it, and what one holds."""
