"""Files of twins: attached, found, fetched, checked and pinned."""
