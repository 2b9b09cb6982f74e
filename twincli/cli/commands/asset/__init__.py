"""Commands on assets: create, append, transfer, look at."""
