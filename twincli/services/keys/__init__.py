"""Keys, and what signs in their place."""
