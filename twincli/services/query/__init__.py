"""Questions about the streams of twins: rows, aggregates, SQL and charts."""
