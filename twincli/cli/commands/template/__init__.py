"""Commands on templates."""
