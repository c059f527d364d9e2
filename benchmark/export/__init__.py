"""A method's outcome as files that other software loads: a checkpoint or adapter, with a card."""
