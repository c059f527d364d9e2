"""The one loop, the shared losses and the caches that every method with a loss uses."""
