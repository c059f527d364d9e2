"""How fast we are: a step of ours beside the usual one, and where the seconds of a run go."""
