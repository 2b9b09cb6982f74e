"""Records: what is said about twins, written and read in one way."""
