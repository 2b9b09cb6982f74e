"""Models of other systems, read into templates."""
