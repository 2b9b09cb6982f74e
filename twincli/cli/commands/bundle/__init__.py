"""Commands about bundles."""
