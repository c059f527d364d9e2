"""Cards and tables become samples and training pools."""
