"""Assets: writing them, and what can be read of them."""
