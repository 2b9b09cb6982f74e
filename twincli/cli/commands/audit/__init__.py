"""Commands on audits."""
