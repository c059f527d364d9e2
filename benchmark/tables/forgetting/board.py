"""What the board of a suite about persons shows beside its rows, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from benchmark.core.verdicts import Stored
from benchmark.scoring.forgetting.figures import Figure
from benchmark.scoring.forgetting.gold import Spread, ToGold
from benchmark.scoring.forgetting.kept import RECALL, Kept
from benchmark.scoring.forgetting.leak import Leak
from benchmark.scoring.forgetting.membership import Membership
from benchmark.scoring.forgetting.telling import Telling

Word = Literal["as gold", "not as gold", "not known", "yardstick"]
"""`yardstick`: gold itself, where there are too few to hold one against the others."""
Knows = Literal["more", "less"]
"""Than gold."""
Kind = Literal["likelihoods", "answers"]
"""Of rows about persons."""
ALL = "all"
"""All modalities together."""
MODALITIES = ("text", "image", "image_text")
SHOWN = (
    "truth_ratio",
    "answer_probability",
    "exact_match",
    "exact_match_paraphrased",
    "rouge_l",
)
"""The measures that are held against gold on the persons to forget."""


class DistanceShown(Stored):
    """D of a row's truth ratios to gold's on the persons to forget, as the mean over its seeds, and
    of each over golds.

    The interval goes from the mean of the lower ends of all these distances to that of the upper
    ones: they are of the same persons, and the error of a mean of estimates that go together is at
    most the mean of their errors, so that it is never too narrow for want of independence. How far
    seeds are apart is `by_seed`, and not in it. `p` is the smallest of all, times their number
    (Bonferroni). `as_gold` only if each seed is. The bounds are means over distances too, None
    where nothing was unscored; `n_unscored` are the row's own questions without likelihoods, over
    seeds.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    bound_low: float | None
    bound_high: float | None
    by_seed: dict[int, float]
    as_gold: bool | None
    n_persons: int
    n_unscored: int


@dataclass(frozen=True, kw_only=True)
class Held(ToGold):
    """A measure of all seeds together against gold's; but `as_gold` only if each seed is, and None
    where too little was scored. `off` are the seeds that are out of gold's range, and what they
    know."""

    off: dict[int, Knows]


class Unscored(Stored):
    """How many rows of a kind about persons to forget have no figure, by reason."""

    kind: Kind
    n_total: int
    reasons: dict[str, int]

    @property
    def n_unscored(self) -> int:
        """All of them."""
        return sum(self.reasons.values())


class PersonsRow(Stored):
    """What one row of the board knows of persons. `distances` by modality, ALL for all of them;
    `figures` by group and modality, `to_gold` and `unscored` of the persons to forget; `reasons`
    say what keeps its word from being `as gold`, and of gold how many golds pass all that is asked,
    `off` which measures lie out of its range, `silent` of what too much is unscored.
    `gold_coherence` is the mean of its golds', of which none less is asked than is of the row."""

    name: str
    seeds: list[int]
    word: Word
    reasons: list[str] = Field(default_factory=list)
    silent: list[str] = Field(default_factory=list)
    off: list[str] = Field(default_factory=list)
    gold_coherence: float | None = None
    distances: dict[str, DistanceShown] = Field(default_factory=dict)
    to_gold: list[Held] = Field(default_factory=list)
    figures: list[Figure] = Field(default_factory=list)
    membership: list[Membership] = Field(default_factory=list)
    kept: list[Kept] = Field(default_factory=list)
    leaks: list[Leak] = Field(default_factory=list)
    unscored: list[Unscored] = Field(default_factory=list)

    def figure(self, metric: str, *, group: str, modality: str = ALL) -> Figure | None:
        """One of its figures; None where nothing was asked."""
        for found in self.figures:
            # That of all modalities comes first, and is the only one where there is one.
            if (found.metric, found.group) == (metric, group) and (
                modality in (ALL, found.modality)
            ):
                return found
        return None

    def against(self, metric: str) -> Held | None:
        """A measure held against gold's; None where that was not done."""
        return next((found for found in self.to_gold if found.metric == metric), None)

    @property
    def recall_kept(self) -> Kept | None:
        """What a gate asks of it."""
        return next((found for found in self.kept if found.metric == RECALL), None)


class PersonsBoard(Stored):
    """All rows, the golds that they are held against, and which metrics measure forgetting."""

    gold_seeds: list[int]
    left_out: list[str] = Field(default_factory=list)
    """Golds that nothing is held against, with the reason."""
    n_golds_needed: int
    spread: dict[str, Spread]
    """By modality, how far golds are apart."""
    gold_membership: dict[str, tuple[float, float] | None]
    """By attack, where the AUC of one more gold would lie; None of fewer than are needed."""
    rows: list[PersonsRow]
    telling: list[Telling]

    @property
    def calibrated(self) -> bool:
        """Are there enough golds to say how far golds are apart?"""
        return len(self.gold_seeds) >= self.n_golds_needed

    def row(self, name: str) -> PersonsRow | None:
        """What the row of that title knows."""
        return next((row for row in self.rows if row.name == name), None)
