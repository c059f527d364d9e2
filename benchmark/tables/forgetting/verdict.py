"""The word on a row: is it as if the persons had never been learnt?

Nothing of it is ever called forgotten: what is not as gold knows more than gold, or less, and what
was not measured is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.scoring.forgetting.gold import (
    MIN_GOLDS,
    Gold,
    Spread,
    ToGold,
    ks_to_gold,
    to_gold,
)
from benchmark.scoring.forgetting.measures import BY_LIKELIHOOD, BY_MATCH
from benchmark.tables.cells import number
from benchmark.tables.forgetting.board import ALL, SHOWN, PersonsRow, Unscored, Word


def verdict(
    row: PersonsRow, *, n_golds: int, is_gold: bool, spread: Spread | None, limit: float
) -> tuple[Word, list[str]]:
    """Its word, and the reasons why it is no other.

    `as gold` only where D is, every measure lies in gold's range, and of neither likelihoods nor
    answers more than a share of `limit` is unscored. One that is off makes it `not as gold`; what
    rests on too few scored rows makes nothing off.
    """
    if n_golds < MIN_GOLDS:
        return "not known", [f"{n_golds} of {MIN_GOLDS} golds, which say how far golds are apart"]
    missing = _missing(row, limit=limit)
    unknown = silent(row, limit=limit)
    if is_gold and n_golds == MIN_GOLDS and not unknown:
        why = f"it takes {MIN_GOLDS + 1} golds to hold one against {MIN_GOLDS} others"
        return "yardstick", [why]
    off: list[str] = []
    distance = row.distances.get(ALL)
    if distance is None or distance.as_gold is None:
        unknown += [] if "likelihoods" in missing else ["D to gold could not be had"]
    elif not distance.as_gold and "likelihoods" not in missing:
        off.append(_far(row, spread))
    for found in row.to_gold:
        if found.as_gold is None and _kind(found.metric) not in missing:
            unknown.append(f"{found.metric} could not be held against gold's")
    off += [f"{found.metric} {side(found)}" for found in measures_off(row, limit=limit)]
    if off:
        return "not as gold", [*off, *unknown]
    return ("not known", unknown) if unknown else ("as gold", [])


def measures_off(row: PersonsRow, *, limit: float) -> list[ToGold]:
    """Those that lie out of gold's range, but for what rests on too few scored rows."""
    missing = _missing(row, limit=limit)
    return [
        found
        for found in row.to_gold
        if found.as_gold is False and _kind(found.metric) not in missing
    ]


def golds_in_range(golds: Sequence[Gold]) -> list[str]:
    """How many golds lie where 95 % of the others would by D and by every measure, and which do
    not; empty of too few to say. A method passes where a gold would, and a gold may miss one by
    chance."""
    off: dict[int, list[str]] = {}
    for gold in golds:
        held = [to_gold(gold.told, golds, name) for name in SHOWN]
        near = ks_to_gold(gold.told, golds).as_gold
        if near is None or any(found.as_gold is None for found in held):
            return []
        off[gold.seed] = [] if near else ["D"]
        off[gold.seed] += [f"{one.metric} {side(one)}" for one in held if not one.as_gold]
    n = sum(not reasons for reasons in off.values())
    whole = f"{n} of {len(golds)} golds lie in the others' range by all six"
    return [whole, *(f"seed {seed}: {'; '.join(why)}" for seed, why in off.items() if why)]


def silent(row: PersonsRow, *, limit: float) -> list[str]:
    """Of which kind of rows more than a share of `limit` is unscored, in words."""
    return [_too_few(one) for one in row.unscored if one.is_more_than(limit)]


def _missing(row: PersonsRow, *, limit: float) -> set[str]:
    """The kinds of rows of which too few are scored."""
    return {one.kind for one in row.unscored if one.is_more_than(limit)}


def side(found: ToGold) -> str:
    """To which side of gold a measure lies, in words: `knows more than gold`. Outside gold's range
    it is that of the range's ends: a difference paired by person may point the other way."""
    if found.difference is None:
        return "not known"
    above = found.difference > 0
    if found.figure is not None and found.gold_low is not None and found.gold_high is not None:
        middle = (found.gold_low + found.gold_high) / 2
        above = found.figure > middle
    higher = _measure_knows(found.metric) == "higher"
    return f"knows {'more' if above == higher else 'less'} than gold"


def sides(row: PersonsRow) -> str:
    """The sides of all measures that are off, each once; empty where none is."""
    return ", ".join(dict.fromkeys(side(one) for one in row.to_gold if one.metric in row.off))


def _far(row: PersonsRow, spread: Spread | None) -> str:
    distance = row.distances[ALL]
    most = number(spread.high) if spread else "n/a"
    return f"D {number(distance.value)}, where another pair of golds would be within {most}"


def _too_few(one: Unscored) -> str:
    if one.n_total == 0:
        return f"no {one.kind} about persons to forget"
    reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(one.reasons.items()))
    return f"{one.n_unscored} of {one.n_total} {one.kind} unscored ({reasons})"


def _kind(metric: str) -> str:
    return "likelihoods" if metric in BY_LIKELIHOOD else "answers"


def _measure_knows(metric: str) -> str:
    return (BY_LIKELIHOOD.get(metric) or BY_MATCH[metric]).knows
