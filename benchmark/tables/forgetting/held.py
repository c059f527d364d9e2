"""A row's measures against golds', seed by seed: what one seed knows too much of is not made up for
by another that knows too little."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict

from benchmark.scoring.forgetting.gold import Gold, ToGold, to_gold
from benchmark.scoring.forgetting.measures import BY_LIKELIHOOD, Told, measure_named
from benchmark.tables.forgetting.board import SHOWN, Held, Kind, Knows
from benchmark.tables.forgetting.told import Answered, only


def held(said: Answered, golds: Sequence[Gold], *, missing: Collection[Kind]) -> list[Held]:
    """Every measure shown, on persons to forget; empty without golds. What rests on a kind of rows
    of which too many are `missing` is neither as gold nor off."""
    if not golds:
        return []
    whole = only(said.whole, group="forget")
    seeds = {seed: only(told, group="forget") for seed, told in said.by_seed.items()}
    return [_held(whole, {} if kind_of(name) in missing else seeds, golds, name) for name in SHOWN]


def _held(whole: Told, seeds: dict[int, Told], golds: Sequence[Gold], name: str) -> Held:
    by_seed = {seed: to_gold(told, golds, name) for seed, told in seeds.items()}
    return Held(
        **{
            **asdict(to_gold(whole, golds, name)),
            "as_gold": of_each([one.as_gold for one in by_seed.values()]),
        },
        off={seed: side(one) for seed, one in by_seed.items() if one.as_gold is False},
    )


def of_each(words: Sequence[bool | None]) -> bool | None:
    """Is it so of each? No where of one it is not; None where that is not known of one, or there
    is none."""
    if False in words:
        return False
    return None if None in words or not words else True


def side(found: ToGold) -> Knows:
    """To which side of golds' range a figure lies that is out of it: not that of its difference,
    which is paired by person and may point the other way. Raises ValueError for one that is not."""
    if found.as_gold is not False or found.figure is None or found.gold_high is None:
        raise ValueError(f"{found.metric} is not out of golds' range")
    above = found.figure > found.gold_high
    higher = measure_named(found.metric).knows == "higher"
    return "more" if above == higher else "less"


def kind_of(metric: str) -> Kind:
    """Which rows a measure reads."""
    return "likelihoods" if metric in BY_LIKELIHOOD else "answers"
