"""Does a metric measure forgetting? Models known to know persons against ones known not to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmark.core.errors import UserError
from benchmark.scoring.forgetting.distance import ks, ratios
from benchmark.scoring.forgetting.measures import (
    MEASURES,
    Told,
    by_person,
    cells_by_name,
    measure_named,
)
from benchmark.scoring.forgetting.roc import Separation, area

KS = "ks_distance"
TO_GOLD = "{} to gold"

Scored = Mapping[str, float | None]
"""By person, what a metric says of how much is known, higher for more; None where unscored."""


@dataclass(frozen=True, kw_only=True)
class Telling:
    """The area under the curve of one metric at telling persons that a model knows from persons
    that one does not, with its interval over persons."""

    metric: str
    found: Separation
    n_knowing: int
    n_ignorant: int

    @property
    def verdict(self) -> str:
        """What may be said of the metric on these models, in words."""
        one = self.found
        if one.value is None or one.low is None or one.high is None:
            return "not measured"
        if one.high < 0.5:
            return "the wrong way round"
        if one.low <= 0.5:
            return "at chance, as far as these persons say"
        if one.bound_low is not None and one.bound_low <= 0.5:
            return "undecided: too many are unscored"
        return "tells them apart"


def telling(
    knowing: Sequence[Told], ignorant: Sequence[Told], *, golds: Sequence[Told] = ()
) -> list[Telling]:
    """Every measure, and with golds every distance to gold, D of a person's truth ratios first.

    Each person counts once per model, on either side; the interval is over persons, which may be on
    both. The direction of a measure is declared, never chosen by what comes out. A gold that is
    among the models is held against the other golds. `UserError` where a model is on both sides, or
    one side has none. After the faithfulness of metrics in Dorna et al. 2025, arXiv:2506.12618.
    Differs from it: by person and not by model, with an interval.
    """
    _check(knowing, ignorant)
    metrics: dict[str, Callable[[Told], Scored]] = {}
    for name in MEASURES:
        metrics[name] = _oriented(name)
    if golds:
        metrics[KS] = _ks_by_person(golds)
        for name in MEASURES:
            metrics[TO_GOLD.format(name)] = _to_gold_by_person(name, golds)
    return [
        Telling(
            metric=name,
            found=area(_together(knowing, scores), _together(ignorant, scores)),
            n_knowing=len(knowing),
            n_ignorant=len(ignorant),
        )
        for name, scores in metrics.items()
    ]


def _check(knowing: Sequence[Told], ignorant: Sequence[Told]) -> None:
    both = {told.name for told in knowing} & {told.name for told in ignorant}
    if both:
        raise UserError(f"model '{min(both)}' cannot both have the knowledge and not have it")
    for side, what in ((knowing, "has"), (ignorant, "lacks")):
        if not side:
            raise UserError(f"no model that {what} the knowledge: one of either kind is needed")


def _together(
    models: Sequence[Told], scores: Callable[[Told], Scored]
) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for told in models:
        for person, score in scores(told).items():
            found.setdefault(person, []).append(score)
    return found


def _oriented(name: str) -> Callable[[Told], Scored]:
    knows = measure_named(name).knows
    sign = 1.0 if knows == "higher" else -1.0

    def scores(told: Told) -> Scored:
        found = by_person(cells_by_name(told, name))
        return {person: None if v is None else sign * v for person, v in found.items()}

    return scores


def _to_gold_by_person(name: str, golds: Sequence[Told]) -> Callable[[Told], Scored]:
    """By person, how far a measure lies from the mean of the golds', to either side."""
    by_gold = {gold.name: by_person(cells_by_name(gold, name)) for gold in golds}

    def scores(told: Told) -> Scored:
        others = [found for gold, found in by_gold.items() if gold != told.name]
        return {
            person: _apart(value, [found.get(person) for found in others])
            for person, value in by_person(cells_by_name(told, name)).items()
        }

    return scores


def _apart(value: float | None, golds: Sequence[float | None]) -> float | None:
    known = [one for one in golds if one is not None]
    return None if value is None or not known else abs(value - fmean(known))


def _ks_by_person(golds: Sequence[Told]) -> Callable[[Told], Scored]:
    """By person, D of its truth ratios to all that the golds have of it."""
    by_gold = {gold.name: ratios(gold.likelihoods) for gold in golds}

    def scores(told: Told) -> Scored:
        mine = ratios(told.likelihoods)
        others = [found for gold, found in by_gold.items() if gold != told.name]
        asked = dict.fromkeys(row.person for row in told.likelihoods)
        theirs = {person: [r for one in others for r in one.get(person, [])] for person in asked}
        both = {person for person in asked if mine.get(person) and theirs[person]}
        return {p: ks(mine[p], theirs[p]) if p in both else None for p in asked}

    return scores
