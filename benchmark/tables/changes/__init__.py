"""What changed from one run to another: on which prompts, in which direction, by how much."""
