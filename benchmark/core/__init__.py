"""The bottom of the house: errors, types that travel, names, storage. Never imports torch."""
