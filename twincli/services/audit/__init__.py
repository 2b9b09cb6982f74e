"""The audit log: a chained record of who was given what, in this home."""
