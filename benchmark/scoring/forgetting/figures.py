"""A measure of forgetting as a figure: over persons, with its interval, bounds and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Self

from pydantic import Field, model_validator

from benchmark.core.errors import unknown
from benchmark.core.forgetting import LikelihoodRow, MatchRow
from benchmark.core.verdicts import Stored, check_counts
from benchmark.scoring.forgetting.measures import (
    BY_LIKELIHOOD,
    BY_MATCH,
    MEASURES,
    Measure,
    RowT,
    Told,
    Unit,
    cells_of,
    counted,
)
from benchmark.scoring.intervals import effective_n, t_interval, wilson
from benchmark.scoring.rates import Cells, behaviour_rates, bound, joined


class Figure(Stored):
    """One measure of one model, with its 95 % interval; None where nothing was scored.

    `group` and `modality` name all that the rows are of, put together by `+`. The bounds are what
    it would be were all unscored answers 0, or all 1; None where all were scored, and of
    logarithms, which nothing bounds.
    """

    metric: str
    group: str
    modality: str
    unit: Unit
    value: float | None
    low: float | None
    high: float | None
    bound_low: float | None = None
    bound_high: float | None = None
    n_total: int = Field(ge=0)
    n_scored: int = Field(ge=0)
    n_unscored: int = Field(ge=0)
    n_persons: int = Field(ge=0)
    unscored_reasons: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        check_counts(self.n_total, self.n_scored, self.n_unscored, self.unscored_reasons.values())
        return self


def figure(told: Told, name: str) -> Figure:
    """The named measure of a model. Raises `UserError` for a name that is none.

    A rate has Wilson's interval on the effective number of answers, a mean of logarithms Student's
    over persons.
    """
    if name in BY_LIKELIHOOD:
        return _figure(told.likelihoods, BY_LIKELIHOOD[name], name)
    if name in BY_MATCH:
        return _figure(told.matches, BY_MATCH[name], name)
    return unknown("measure of forgetting", name, MEASURES)


def _figure(rows: Sequence[RowT], measure: Measure[RowT], name: str) -> Figure:
    chosen, cells = counted(rows, measure), cells_of(rows, measure)
    reasons = Counter(_reason(row) for row in chosen if measure.value(row) is None)
    n_unscored = sum(reasons.values())
    rates = list(behaviour_rates(cells).values())
    value, low, high = _estimate(rates, measure.unit, n_answers=len(chosen) - n_unscored)
    bounded = n_unscored > 0 and measure.unit == "rate"
    return Figure(
        metric=name,
        group=joined(row.group for row in chosen),
        modality=joined(row.modality for row in chosen),
        unit=measure.unit,
        value=value,
        low=low,
        high=high,
        bound_low=_bound(cells, 0.0) if bounded else None,
        bound_high=_bound(cells, 1.0) if bounded else None,
        n_total=len(chosen),
        n_scored=len(chosen) - n_unscored,
        n_unscored=n_unscored,
        n_persons=len(rates),
        unscored_reasons=dict(reasons),
    )


def _estimate(
    rates: Sequence[float], unit: Unit, *, n_answers: int
) -> tuple[float | None, float | None, float | None]:
    if not rates:
        return None, None, None
    if unit == "nats":
        return t_interval(rates) or (rates[0], None, None)
    value = min(fmean(rates), 1.0)
    return value, *wilson(value, effective_n(rates, n_answers))


def _bound(cells: Cells, stand_in: float) -> float:
    return min(max(bound(cells, stand_in), 0.0), 1.0)


def _reason(row: LikelihoodRow | MatchRow) -> str:
    return row.unscored or "nothing_to_compare"
