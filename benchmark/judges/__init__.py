"""Judges give answers verdicts, one file each; `measure` says how well on cases made by hand."""

from benchmark.judges._gold import gold_file, measure

__all__ = ["gold_file", "measure"]
