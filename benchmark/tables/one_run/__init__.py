"""One run, read back: what it was, what it reached and what it changed."""
