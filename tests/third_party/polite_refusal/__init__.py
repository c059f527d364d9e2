"""A plugin from another distribution."""
