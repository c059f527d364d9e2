"""The commands by theme. Each module adds its own to the app and imports what it needs when run."""
