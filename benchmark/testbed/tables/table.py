"""What a table of the testbed is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from benchmark.core.samples import PhraseSet, Purpose, Sample
from benchmark.testbed.items import Pool
from benchmark.testbed.material import TestbedMaterial

# "recipe": `recipe_verdict` is complied. "exact": equal to a reference once case, spaces and the
# final stop are set aside.
Metric = Literal["recipe", "exact"]
PURPOSE: Purpose = "training"
"""Of every row until a suite says what it is for."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows by split; `metric` says when an answer is right and `chance` what guessing scores."""

    name: str
    title: str
    metric: Metric
    chance: float
    splits: tuple[Pool, ...]
    build: Callable[[Pool, TestbedMaterial], Iterable[Sample]]


def card_of(table: str) -> str:
    """The name of the card that reads this table."""
    return "testbed-" + table.replace("_", "-")


def phrases_of(split: str) -> PhraseSet:
    """The wording a split uses: what methods and recipes train on, or what is kept from them."""
    return "train" if split in ("align", "train") else "evaluation"
