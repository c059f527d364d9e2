"""Verdicts to figures: rates, intervals, comparisons, gates, ranks. Pure functions."""
