"""Use cases by subject: typed arguments in, plain documents out. Nothing is printed here."""
