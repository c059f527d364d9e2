"""A figure that was measured several times."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmark.core.verdicts import Stored


class Spread(Stored):
    """The median of the repeats, the least and the most."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Of repeats, one at least."""
    return Spread(median=median(values), low=min(values), high=max(values))
