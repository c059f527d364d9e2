"""What a table of the testbed is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Literal, TypeVar

from benchmark.core.samples import PhraseSet, Purpose, Sample
from benchmark.testbed.material import TestbedMaterial

# "recipe": `recipe_verdict` is complied. "exact": equal to a reference once case, spaces and the
# final stop are set aside.
Metric = Literal["recipe", "exact"]
PURPOSE: Purpose = "training"
"""Of every row until a suite says what it is for."""


Split = TypeVar("Split", bound=str)
"""What a table's splits are called: pools of items, or groups of persons."""


@dataclass(frozen=True, kw_only=True)
class Table(Generic[Split]):
    """Rows by split; `metric` says when an answer is right and `chance` what guessing scores."""

    name: str
    title: str
    metric: Metric
    chance: float
    splits: tuple[Split, ...]
    build: Callable[[Split, TestbedMaterial], Iterable[Sample]]

    def rows(
        self, split: str, material: TestbedMaterial, *, limit: int | None = None
    ) -> list[Sample]:
        """The samples of one split, always in the same order, or the first `limit`: pictures of
        other items are not drawn. Raises KeyError for no split."""
        for known in self.splits:
            if known == split:
                return list(islice(self.build(known, material), limit))
        raise KeyError(f"table {self.name!r} has no split {split!r}")


def card_of(table: str) -> str:
    """The name of the card that reads this table."""
    return "testbed-" + table.replace("_", "-")


def phrases_of(split: str) -> PhraseSet:
    """The wording a split uses: what methods and recipes train on, or what is kept from them."""
    return "train" if split in ("align", "train") else "evaluation"
