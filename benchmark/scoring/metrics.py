"""A card for every metric: what is counted, over what, which way is better, by whom, from where."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from benchmark.core.config import read_yaml

FILE = Path(__file__).with_suffix(".yaml")
Direction = Literal["lower", "higher", "none"]


class MetricCard(BaseModel):
    """One metric; `limit` says which token limit its id bears."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    formula: str
    denominator: str
    direction: Direction
    unit: str = "rate, 0 to 1"
    chance: str = "none"
    judge: str
    limit: str
    source: str


@cache
def metric_cards() -> dict[str, MetricCard]:
    """All of them by name, as the file has them."""
    return read_cards(FILE)


def read_cards(file: Path) -> dict[str, MetricCard]:
    """The cards of a file by name, in its order."""
    return TypeAdapter(dict[str, MetricCard]).validate_python(read_yaml(file))


def direction_of(lower_is_better: bool | None) -> Direction:
    """A figure's own word for it."""
    return "none" if lower_is_better is None else "lower" if lower_is_better else "higher"
