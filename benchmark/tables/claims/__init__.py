"""What the papers claim, weighed against the published records."""
