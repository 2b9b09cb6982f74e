"""Commands about files of twins."""
