"""Commands about proof."""
