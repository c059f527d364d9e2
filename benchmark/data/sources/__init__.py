"""Where data come from: one module per kind of source."""
