"""Pure rules: validity of a transaction, replay of a twin's state. No I/O, no clock."""
