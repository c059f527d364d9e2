"""Durability records as a table, its curves and verdicts."""
