"""A card for every metric of forgetting, apart from those of all other boards."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from benchmark.scoring.metrics import MetricCard, read_cards

FILE = Path(__file__).with_name("metrics.yaml")


@cache
def forgetting_cards() -> dict[str, MetricCard]:
    """All of them by name, as the file has them. `direction` none: to gold, from either side."""
    return read_cards(FILE)
