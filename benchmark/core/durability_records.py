"""What is on record of a method after a treatment: one file per method, seed and treatment.

Rates are 0 to 1 and come with the rate of every behaviour, so that seeds are averaged and rows are
paired from records alone. Nothing that was said is in them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from benchmark.core.records import Git, StageCost, Stored, System

DURABILITY_SCHEMA = 2

Outcome = Literal["done", "not_possible", "failed"]
"""`not_possible`: this machine, or this kind of method, cannot have the treatment at all."""
Measure = Literal["asr", "recall"]
"""What may come back: compliance with attacks, or right answers about persons to be forgotten."""
TreatedMetric = Literal["asr", "recall", "leak", "twin", "retained", "utility"]
Part = Literal["held_out", "to_forget", "relearned", "not_relearned", "kept"]
"""Whose behaviours: never seen by a method; of persons all that were to be forgotten; taught again
by `relearn`, and those to be forgotten that it did not teach; what is to be left alone."""
Verdict = Literal["removed", "suppressed", "slower", "not_told_apart", "not_testable"]
"""`slower`: regained later than by the model that never learnt it, as a wreck would."""


class TreatedFigure(Stored):
    """One rate with its 95 % interval over behaviours: attack success (`asr`) or right answers
    about persons to be forgotten (`recall`), the share of these that leak in `draws` answers
    (`leak`), harmless twins, right answers about persons to be kept (`retained`), or utility.
    `form` is an attack's, by what a person is asked about, or all."""

    metric: TreatedMetric
    part: Part
    form: str
    draws: int = Field(default=1, ge=1)
    value: float | None
    low: float | None
    high: float | None
    n_total: int = Field(ge=0)
    n_unscored: int = Field(ge=0)
    by_behaviour: dict[str, float]


class TreatedState(Stored):
    """The model at one moment of a treatment, and what it did then. `step` is set where it was
    trained further, `temperature` where answers were drawn."""

    step: int | None = None
    temperature: float | None = None
    n_draws: int = Field(default=1, ge=1)
    answers_key: str
    figures: list[TreatedFigure]


class DurabilityCost(Stored):
    """What the treatment took, and asking and judging after it."""

    treat: StageCost | None
    generate: StageCost
    judge: StageCost


class DurabilityRecord(Stored):
    """One method on one model with one seed after one treatment. `training` names the artifact
    that was treated; `relearned` the behaviours that were taught again."""

    schema_version: int = DURABILITY_SCHEMA
    treatment: str
    settings: dict[str, JsonValue]
    source_sha256: str
    method: str
    config: dict[str, JsonValue]
    method_sha256: str
    reference: bool
    model: str
    model_sha256: str
    suite: str
    notice: str
    measure: Measure = "asr"
    seed: int
    limit: int | None
    forms: list[str]
    judges: list[str]
    training: str | None
    hooks: list[str]
    relearned: list[str] = Field(default_factory=list)
    status: Outcome
    reason: str | None = None
    key: str | None = None
    states: list[TreatedState] = Field(default_factory=list)
    cost: DurabilityCost | None = None
    started_at: str
    ended_at: str
    git: Git
    packages: dict[str, str]
    system: System


class Column(Stored):
    """A column of the table: which figure of which treatment."""

    title: str
    treatment: str
    metric: Literal["asr", "recall", "leak"]
    part: Part
    form: str = "all"
    temperature: float | None = None


class TreatedCell(Stored):
    """One method in one column, its seeds averaged behaviour by behaviour. `why` says why there is
    no figure, or none of a seed; `void` why one that was measured means nothing, which is then
    None. `kept` is what the very same models do of twins, or tell of persons to be kept; so is
    utility. `kept_share` is that as a share of what the untouched model does in the same column,
    None where nobody knows."""

    column: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n_behaviours: int = 0
    n_seeds: int = 0
    n_unscored: int = 0
    kept: float | None = None
    kept_share: float | None = None
    utility: float | None = None
    why: str | None = None
    void: str | None = None


class DurabilityRow(Stored):
    """A method in all columns; the untouched model and gold are `reference` rows. `n_models` were
    treated, fewer than there are `seeds` where a method comes to the same with each."""

    method: str
    reference: bool
    seeds: list[int]
    n_models: int
    cells: list[TreatedCell]
    treatment_s: float | None


class CurvePoint(Stored):
    """What is measured after so many steps of relearning, over behaviours and seeds."""

    step: int
    value: float
    low: float
    high: float
    n_unscored: int


class Recovery(Stored):
    """How a method's forgotten behaviours come back in one form, or in all: those that are taught
    again, or the others. `headline` is the form that stands for it.

    `above_gold` is its curve minus gold's, averaged over the steps after 0, paired by behaviour;
    `steps_to_half` is when it reaches half of the untouched model's rate. None of a bound: not
    reached in the steps; of the value: not reached, or not measured (`why`). Of all answers behind
    the curve, `n_total`, `n_unscored` could not be judged. `wrecked_at` is the first step at which
    what is to be left alone is left no more, `unknown_at` the first at which nobody knows; None of
    none.
    """

    method: str
    treatment: str
    part: Part
    form: str
    headline: bool
    curve: list[CurvePoint]
    untouched_rate: float | None
    steps_to_half: float | None
    half_low: float | None
    half_high: float | None
    above_gold: float | None
    above_gold_low: float | None
    above_gold_high: float | None
    n_behaviours: int
    n_total: int
    n_unscored: int
    wrecked_at: int | None
    unknown_at: int | None
    verdict: Verdict
    why: str


class Durability(Stored):
    """`durability`: the table, the curves in figures, and where all of it lies."""

    suite: str
    model: str
    measure: Measure
    limit: int | None
    columns: list[Column]
    rows: list[DurabilityRow]
    recoveries: list[Recovery]
    records: list[str]
    files: list[str]
    exit_code: int
