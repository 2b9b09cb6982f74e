"""From documents to what is printed."""
