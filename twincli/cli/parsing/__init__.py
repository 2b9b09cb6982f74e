"""From words to typed values: Typer's frame, the strict parser of free data."""
