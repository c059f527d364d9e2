"""Records to boards: what was found, in Markdown, CSV, JSON and the terminal."""
