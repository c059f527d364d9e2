"""The board of one suite on one model: everything its renderings show, and nothing else."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from benchmark.core.attack_records import AttackInfo
from benchmark.core.plan import judge_behind
from benchmark.core.records import JudgeInfo, Score, Stage, Stored
from benchmark.core.rows import BASE, bases_of
from benchmark.core.samples import Purpose, Scope
from benchmark.scoring.rates import find
from benchmark.scoring.seeds import SeedSpread
from benchmark.tables.adversarial.best import BestAttacks
from benchmark.tables.adversarial.curves import BudgetPoint
from benchmark.tables.forgetting.board import PersonsBoard
from benchmark.tables.runs import Source

BOARD_VERSION = 1
REFERENCE_ORDER = (BASE, "gold", "always_refuse", "gibberish")
Place = Literal["ranked", "below", "reference"]


def row_title(method: str, limit: int | None) -> str:
    """What a row is called: the method, and what part of the suite it was asked."""
    return method if limit is None else f"{method} (limit {limit})"


class RowCost(Stored):
    """What a row took on one kind of device, as means over its seeds; wasted seconds are summed.

    `training_s` are device-seconds of caches and training, 0 where nothing is trained. `ratio` and
    `flops_ratio` are to `textual_unlearning` on the same device, None where that has not run there
    and where nothing is trained.
    """

    device_unit: Literal["gpu", "cpu-core"]
    device_name: str
    training_s: float
    stages_s: dict[Stage, float]
    wasted_s: float
    search_s: float | None
    n_trials: int | None
    peak_memory_bytes: int | None
    trainable_params: int
    flops: float | None
    n_tokens: float | None
    n_image_tokens: float | None
    ratio: float | None = None
    flops_ratio: float | None = None

    @property
    def trains(self) -> bool:
        """Was anything learnt, or made ready for it? What loading took is no cost of a method."""
        return self.trainable_params > 0 or self.n_tokens is not None or "caches" in self.stages_s


class BoardRow(Stored):
    """One method. `reasons` say why it stands below the line, or why it has no figures."""

    method: str
    summary: str
    origin: str
    source: Source
    limit: int | None
    place: Place
    rank: tuple[int, int] | None = None
    tier: int | None = None
    reasons: list[str] = Field(default_factory=list)
    seeds: list[int]
    run_ids: list[str]
    commits: list[str]
    settings: dict[str, JsonValue]
    scores: list[Score] = Field(default_factory=list)
    spread: dict[str, SeedSpread] = Field(default_factory=dict)
    cost: RowCost | None = None
    attacks: list[AttackInfo] = Field(default_factory=list)
    """The forms asked, where any was searched for."""
    budget: dict[str, BudgetPoint] = Field(default_factory=dict)
    """By form of a budget curve."""

    def not_searched(self, form: str) -> bool:
        """Is it a form that this row's model could not be searched for?"""
        return any(one.form == form and one.not_offered is not None for one in self.attacks)

    @property
    def name(self) -> str:
        """Its title, of which there is one per board."""
        return row_title(self.method, self.limit)

    def score(
        self,
        metric: str,
        *,
        judge: str,
        form: str = "all",
        scope: Scope | None = None,
        card: str | None = None,
    ) -> Score | None:
        """One of its figures; None where there is none."""
        return find(self.scores, metric, judge=judge, form=form, scope=scope, card=card)


class Comparison(Stored):
    """A method's attack success minus the base model's, paired by behaviour over all its seeds.

    `p` is two-sided from sign flips, `p_holm` adjusted for all comparisons of the board.
    """

    method: str
    limit: int | None
    form: str
    scope: Scope | None
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    n_behaviours: int


class Board(Stored):
    """All rows of one suite on one model, best first, and what there is to say about them."""

    version: int
    suite: str
    suite_title: str
    model: str
    notices: list[str]
    ranking_judge: str
    ranking_judges: dict[Purpose, str] = Field(default_factory=dict)
    coherence_judge: str
    max_new_tokens: int
    families: dict[str, list[str]]
    forms: list[str]
    apart: list[str]
    by_set: bool = False
    n_seeds_needed: int
    rows: list[BoardRow]
    comparisons: list[Comparison]
    judges: list[JudgeInfo]
    void: dict[str, str]
    warnings: list[str]
    best: list[BestAttacks] = Field(default_factory=list)
    """Where pictures were searched for: what that adds to those that are drawn."""
    persons: PersonsBoard | None = None
    """Where persons were asked about: what is known of them."""

    def not_searched(self, row: BoardRow, family: str) -> bool:
        """Is a family one that the row's model could not be searched for?"""
        return any(row.not_searched(form) for form in self.families.get(family, ()))

    def judge_for(self, metric: str) -> str:
        """The judge whose figure of a metric is shown."""
        return judge_behind(metric, self)

    def row(self, title: str) -> BoardRow | None:
        """The row of that title; None if there is none."""
        return next((row for row in self.rows if row.name == title), None)

    def base_of(self, row: BoardRow) -> BoardRow | None:
        """The base model's row asked the same part of the suite, else its whole one."""
        names = bases_of(row.method)
        titles = [title for name in names for title in (row_title(name, row.limit), name)]
        return next((found for title in titles if (found := self.row(title)) is not None), None)
