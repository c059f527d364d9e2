"""How far a model is from gold models, which never learnt the persons: to either side of them.

Golds of several seeds differ among themselves: how far, is what a model's distance is held against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np
from scipy.special import stdtrit

from benchmark.core.errors import unknown
from benchmark.scoring.forgetting.distance import Distance, ks_distance
from benchmark.scoring.forgetting.measures import (
    MEASURES,
    Told,
    by_person,
    cells_by_name,
    measure_named,
)
from benchmark.scoring.forgetting.values import Mean
from benchmark.scoring.intervals import (
    Estimate,
    Interval,
    next_value_interval,
    paired_interval,
    t_interval,
)
from benchmark.scoring.rates import Cells, bound

MIN_GOLDS = 3
"""Fewer seeds do not say how far apart golds are."""


@dataclass(frozen=True, kw_only=True)
class Gold:
    """A gold model of one seed, and what it was found to know. That it was made by the recipe of
    the model that is held against it is checked where it is loaded."""

    seed: int
    told: Told


@dataclass(frozen=True, kw_only=True)
class Spread:
    """D of every pair of golds, by their seeds; their mean; and where one more pair's would lie
    with 95 % confidence, None of fewer than 3 golds."""

    pairs: tuple[tuple[int, int, float], ...]
    value: float | None
    low: float | None
    high: float | None
    n_golds: int


@dataclass(frozen=True, kw_only=True)
class KsToGold:
    """D of a model to each gold, in their order, and their mean. `as_gold`: is it within what golds
    are apart? None where that is unknown, or holds only without the questions that are unscored. D
    has no sides: nothing is nearer than gold."""

    distances: tuple[Distance, ...]
    value: float | None
    spread: Spread
    as_gold: bool | None


@dataclass(frozen=True, kw_only=True)
class ToGold:
    """|a model's figure - gold's|, with its 95 % interval over persons; `difference` is signed,
    with an interval of its own, and below gold is as far off as above it.

    `gold_low` to `gold_high` is where another gold's figure would lie (None of fewer than 3),
    `as_gold` whether the model's `figure` does, and would whatever its unscored answers are worth:
    None where it does only without them. The bounds are what the distance would be were
    unscored answers 0, or 1, whichever moves it most; None where all were scored, and of
    logarithms. `n_missing` persons only one side was asked about."""

    metric: str
    figure: float | None
    value: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    bound_low: float | None
    bound_high: float | None
    gold_low: float | None
    gold_high: float | None
    as_gold: bool | None
    n_persons: int
    n_missing: int


def gold_against_gold(golds: Sequence[Gold], *, mean: Mean = "arithmetic") -> Spread:
    """How far golds that differ by their seed alone are apart.

    Ours. Student's interval for one more value, with the degrees of the golds and not of their
    pairs, of which each gold is in several: mean -+ t(K - 1) s sqrt(1 + 1 / K), cut to 0 and 1.
    """
    pairs = []
    for one, other in combinations(golds, 2):
        found = ks_distance(one.told.likelihoods, other.told.likelihoods, mean=mean).value
        if found is not None:
            pairs.append((one.seed, other.seed, found))
    values, n_golds = [d for _, _, d in pairs], len(golds)
    low = high = None
    if n_golds >= MIN_GOLDS and len(values) == n_golds * (n_golds - 1) // 2:
        spread = float(np.std(values, ddof=1)) * math.sqrt(1 + 1 / n_golds)
        half = float(stdtrit(n_golds - 1, 0.975)) * spread
        low, high = max(fmean(values) - half, 0.0), min(fmean(values) + half, 1.0)
        low, high = min(low, *values), max(high, *values)
    return Spread(
        pairs=tuple(pairs), value=fmean(values) if values else None, low=low, high=high,
        n_golds=n_golds,
    )  # fmt: skip


def ks_to_gold(
    told: Told,
    golds: Sequence[Gold],
    *,
    mean: Mean = "arithmetic",
    spread: Spread | None = None,
) -> KsToGold:
    """D of a model to golds other than itself, beside how far these are apart. A `spread` that is
    known already, of these very golds, is taken for a model that is none of them."""
    others = _others(told, golds)
    if spread is None or len(others) < len(golds):
        spread = gold_against_gold(others, mean=mean)
    found = [ks_distance(told.likelihoods, gold.told.likelihoods, mean=mean) for gold in others]
    values = [one.value for one in found if one.value is not None]
    value = fmean(values) if found and len(values) == len(found) else None
    as_gold = None
    if value is not None and spread.high is not None:
        at_most = [one.bound_high for one in found if one.bound_high is not None]
        near = max([value, *at_most]) <= spread.high
        as_gold = value <= spread.high and (near or None)
    return KsToGold(distances=tuple(found), value=value, spread=spread, as_gold=as_gold)


def to_gold(told: Told, golds: Sequence[Gold], name: str) -> ToGold:
    """The named measure of a model against that of golds other than itself, paired by person, each
    person's gold figure being the mean over golds. Raises `UserError` for a measure that is none.

    Ours: forgetting is to be as if it had never been learnt (a model that answers worse than gold
    shows that something was there).
    """
    if name not in MEASURES:
        unknown("measure of forgetting", name, MEASURES)
    mine = cells_by_name(told, name)
    theirs = [cells_by_name(gold.told, name) for gold in _others(told, golds)]
    persons = set(mine).intersection(*theirs) if theirs else set()
    own, *others = ({p: cells[p] for p in sorted(persons)} for cells in (mine, *theirs))
    is_rate = measure_named(name).unit == "rate"
    differences = _differences(own, others)
    found = _signed(differences, is_rate=is_rate)
    bounds = _bounds(own, others) if is_rate and persons else None
    figures = [fmean(scored) for cells in others if (scored := _scored(cells))]
    of_golds = next_value_interval(figures) if len(figures) >= MIN_GOLDS else None
    scored = _scored(own)
    figure = fmean(scored) if scored else None
    asked = set(mine).union(*theirs)
    distance = _absolute(found[1:]) if found is not None else None
    return ToGold(
        metric=name,
        figure=figure,
        value=None if found is None else abs(found[0]),
        low=distance[0] if distance else None,
        high=distance[1] if distance else None,
        difference=found[0] if found else None,
        difference_low=found[1] if found else None,
        difference_high=found[2] if found else None,
        bound_low=bounds[0] if bounds else None,
        bound_high=bounds[1] if bounds else None,
        gold_low=of_golds[1] if of_golds else None,
        gold_high=of_golds[2] if of_golds else None,
        as_gold=_lies_in(of_golds, figure, own, is_rate=is_rate),
        n_persons=len(differences),
        n_missing=len(asked - persons),
    )


def _lies_in(
    of_golds: Estimate | None, figure: float | None, own: Cells, *, is_rate: bool
) -> bool | None:
    """Is a figure in golds' range? None where that rests on unscored answers: silence moves nobody
    into it. Of logarithms nothing bounds what is unscored."""
    if of_golds is None or figure is None:
        return None
    _, low, high = of_golds
    if not low <= figure <= high:
        return False
    if all(entry is not None for entry in _entries(own)):
        return True
    return (is_rate and low <= bound(own, 0.0) and bound(own, 1.0) <= high) or None


def _others(told: Told, golds: Sequence[Gold]) -> list[Gold]:
    """A gold is not held against itself."""
    return [gold for gold in golds if gold.told.name != told.name]


def _differences(mine: Cells, golds: Sequence[Cells]) -> list[float]:
    """By person that was scored in all models: the model's figure less the mean of golds'."""
    own, others = by_person(mine), [by_person(cells) for cells in golds]
    found = []
    for person, value in own.items():
        of_golds = [scored for one in others if (scored := one[person]) is not None]
        if value is not None and of_golds and len(of_golds) == len(others):
            found.append(value - fmean(of_golds))
    return found


def _signed(
    differences: Sequence[float], *, is_rate: bool
) -> tuple[float, float | None, float | None] | None:
    """The mean difference with its interval: one that keeps a width for rates, Student's for
    logarithms, which has none of a single person."""
    if is_rate or not differences:
        return paired_interval(differences)
    return t_interval(differences) or (differences[0], None, None)


def _absolute(ends: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    """The interval of a distance from that of the difference."""
    low, high = ends
    if low is None or high is None:
        return None, None
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _bounds(mine: Cells, golds: Sequence[Cells]) -> Interval | None:
    """Of the distance, whatever unscored answers are worth; None where there are none."""
    if all(entry is not None for cells in (mine, *golds) for entry in _entries(cells)):
        return None
    lowest = bound(mine, 0.0) - fmean(bound(cells, 1.0) for cells in golds)
    highest = bound(mine, 1.0) - fmean(bound(cells, 0.0) for cells in golds)
    low = 0.0 if lowest <= 0 <= highest else min(abs(lowest), abs(highest))
    return low, max(abs(lowest), abs(highest))


def _entries(cells: Cells) -> list[float | None]:
    return [entry for forms in cells.values() for own in forms.values() for entry in own]


def _scored(cells: Cells) -> list[float]:
    return [value for value in by_person(cells).values() if value is not None]
