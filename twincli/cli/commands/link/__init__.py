"""Commands on links."""
