"""Spread over training seeds, kept apart from the sampling error of a single run."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.records import Score, Stored
from benchmark.scoring.intervals import t_interval


class SeedSpread(Stored):
    """Mean over seeds with Student's 95 % interval (n - 1 degrees); none for one seed."""

    n_seeds: int
    mean: float
    low: float | None
    high: float | None
    lowest: float
    highest: float


def seed_spread(runs: Sequence[Sequence[Score]]) -> dict[str, SeedSpread]:
    """Metric id -> spread of that figure over the runs in which it has a value."""
    values: dict[str, list[float]] = {}
    for scores in runs:
        for score in scores:
            if score.value is not None:
                values.setdefault(score.metric_id, []).append(score.value)
    return {metric_id: _spread(found) for metric_id, found in values.items()}


def _spread(values: Sequence[float]) -> SeedSpread:
    interval = t_interval(values)
    return SeedSpread(
        n_seeds=len(values),
        mean=sum(values) / len(values),
        low=interval[1] if interval else None,
        high=interval[2] if interval else None,
        lowest=min(values),
        highest=max(values),
    )
