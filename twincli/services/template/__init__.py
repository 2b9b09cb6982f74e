"""Templates: finding, checking, registering and comparing them."""
