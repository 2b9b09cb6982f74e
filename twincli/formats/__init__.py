"""Foreign documents in and out: pure functions from bytes to values and back."""
