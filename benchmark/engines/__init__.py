"""Engines turn samples into responses. No module here bears the name of a dependency."""
