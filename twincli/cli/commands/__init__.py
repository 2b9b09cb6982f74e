"""The commands, a folder a subject; each calls one service and returns a result."""
