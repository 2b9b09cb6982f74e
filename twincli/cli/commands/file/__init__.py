"""Commands on files of twins."""
