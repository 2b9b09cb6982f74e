"""Keys that are elsewhere: in a chip, behind a program."""
