"""Commands on keys, and on what signs in their place."""
