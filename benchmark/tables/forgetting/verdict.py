"""The word on a row: is it as if the persons had never been learnt?

Nothing of it is ever called forgotten: what is not as gold knows more than gold, or less, and what
was not measured is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.plan import GateLimits
from benchmark.scoring.forgetting.gold import MIN_GOLDS, Gold, Spread, ToGold, ks_to_gold, to_gold
from benchmark.tables.cells import number
from benchmark.tables.forgetting.board import (
    ALL,
    SHOWN,
    DistanceShown,
    Held,
    Kind,
    PersonsRow,
    Unscored,
    Word,
)
from benchmark.tables.forgetting.held import kind_of, side


def verdict(
    row: PersonsRow, *, n_golds: int, is_gold: bool, spread: Spread | None, gates: GateLimits
) -> tuple[Word, list[str]]:
    """Its word, and the reasons why it is no other.

    `as gold` only where D is, every measure of every seed lies in gold's range whatever unscored
    rows are worth, and neither of likelihoods nor of answers too few are scored. One that is off
    makes it `not as gold`; what rests on too few scored rows makes nothing off.
    """
    if n_golds < MIN_GOLDS:
        return "not known", [f"{n_golds} of {MIN_GOLDS} golds, which say how far golds are apart"]
    missing = too_little(row.unscored, gates=gates)
    unknown = silent(row.unscored, gates=gates)
    if is_gold and n_golds == MIN_GOLDS and not unknown:
        why = f"it takes {MIN_GOLDS + 1} golds to hold one against {MIN_GOLDS} others"
        return "yardstick", [why]
    off: list[str] = []
    distance = row.distances.get(ALL)
    if "likelihoods" not in missing:
        if distance is None or distance.as_gold is None:
            unknown.append(_undecided(distance))
        elif not distance.as_gold:
            off.append(_far(row, spread))
    for found in row.to_gold:
        if found.as_gold is None and kind_of(found.metric) not in missing:
            unknown.append(f"whether {found.metric} is as gold's rests on what is unscored")
    off += [f"{metric} {knows}" for metric, knows in sides_off(row)]
    if off:
        return "not as gold", [*off, *unknown]
    return ("not known", unknown) if unknown else ("as gold", [])


def golds_in_range(golds: Sequence[Gold]) -> list[str]:
    """How many golds lie where 95 % of the others would by D and by every measure, and which do
    not; empty of too few to say. A method passes where a gold would, and a gold may miss one by
    chance."""
    off: dict[int, list[str]] = {}
    for gold in golds:
        held = [to_gold(gold.told, golds, name) for name in SHOWN]
        near = ks_to_gold(gold.told, golds)
        if near.spread.high is None or any(found.gold_high is None for found in held):
            return []
        off[gold.seed] = [] if near.as_gold else ["D"]
        off[gold.seed] += [_misses(one) for one in held if not one.as_gold]
    n = sum(not reasons for reasons in off.values())
    whole = f"{n} of {len(golds)} golds lie in the others' range by all {1 + len(SHOWN)}"
    return [whole, *(f"seed {seed}: {'; '.join(why)}" for seed, why in off.items() if why)]


def silent(unscored: Sequence[Unscored], *, gates: GateLimits) -> list[str]:
    """Of which kind of rows too few are scored, in words."""
    return [_too_few(one) for one in unscored if _is_silent(one, gates)]


def too_little(unscored: Sequence[Unscored], *, gates: GateLimits) -> set[Kind]:
    """The kinds of rows of which too few are scored."""
    return {one.kind for one in unscored if _is_silent(one, gates)}


def _is_silent(one: Unscored, gates: GateLimits) -> bool:
    return gates.too_few_scored(one.n_unscored, of=one.n_total)


def sides_off(row: PersonsRow) -> list[tuple[str, str]]:
    """Every measure that is out of gold's range, and to which side, in words."""
    return [(found.metric, side) for found in row.to_gold for side in _off(found, seeds=row.seeds)]


def _off(found: Held, *, seeds: Sequence[int]) -> list[str]:
    """`knows more than gold`, with the seeds where it is not so of all."""
    by_side: dict[str, list[str]] = {}
    for seed, knows in found.off.items():
        by_side.setdefault(f"knows {knows} than gold", []).append(str(seed))
    return [
        said if len(off) == len(seeds) else f"{said} (seed {', '.join(off)})"
        for said, off in by_side.items()
    ]


def _misses(found: ToGold) -> str:
    if found.as_gold is None:
        return f"{found.metric} rests on what is unscored"
    return f"{found.metric} knows {side(found)} than gold"


def _undecided(distance: DistanceShown | None) -> str:
    if distance is None or distance.value is None:
        return "D to gold could not be had"
    return "whether D is as gold's rests on what is unscored"


def _far(row: PersonsRow, spread: Spread | None) -> str:
    distance = row.distances[ALL]
    most = number(spread.high) if spread else "n/a"
    return f"D {number(distance.value)}, where another pair of golds would be within {most}"


def _too_few(one: Unscored) -> str:
    if one.n_total == 0:
        return f"no {one.kind} about persons to forget"
    reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(one.reasons.items()))
    return f"{one.n_unscored} of {one.n_total} {one.kind} unscored ({reasons})"
