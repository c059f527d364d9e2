"""Pages of studies: rows read from where they are, compared, and shown."""
