"""Single transactions: validating, signing together, submitting."""
