"""The stages of a run, one file each, found again by content keys."""
