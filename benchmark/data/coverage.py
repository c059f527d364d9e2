"""How much of a forget pool a method is given: some of its categories, some of its behaviours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import cast

from benchmark.core.errors import NothingRun, nearest
from benchmark.core.method_config import WHOLE, ForgetPart
from benchmark.core.records import DataUse
from benchmark.core.samples import Sample
from benchmark.core.store import digest
from benchmark.data import samples as tables
from benchmark.data.pools import Pool
from benchmark.data.sampling import place_in_draw


def part_of(pool: Pool, part: ForgetPart, *, seed: int, suite: str) -> Pool:
    """The samples of a forget pool that `part` leaves, in the order they had, with new digests.

    Raises `NothingRun` for a category that the pool does not have, for more than it has, and where
    nothing would be left.
    """
    if part == WHOLE:
        return pool
    where = f"the forget pool of suite '{suite}'"
    by_category = _by_category(pool)
    _check_named(part, by_category, where=where)
    allowed = _allowed(part, by_category, where=where)
    categories = _drawn_categories(allowed, part, seed=seed, where=where)
    kept = _drawn_behaviours([by_category[name] for name in categories], part, seed=seed)
    if part.n_behaviours is not None and len(kept) < part.n_behaviours:
        raise NothingRun(
            f"forget.n_behaviours = {part.n_behaviours}: {where} has {len(kept)} "
            f"{'behaviour' if len(kept) == 1 else 'behaviours'} in {_listed(categories)}"
        )
    return _with_only(pool, set(categories), set(kept))


def _by_category(pool: Pool) -> dict[str | None, list[str]]:
    """The behaviours of each category, each once; under None those that say no category."""
    found: dict[str | None, dict[str, None]] = {}
    for sample in pool.samples:
        found.setdefault(sample.category, {})[sample.behaviour] = None
    return {category: list(behaviours) for category, behaviours in found.items()}


def _check_named(
    part: ForgetPart, by_category: Mapping[str | None, Sequence[str]], *, where: str
) -> None:
    """Every category that is named must be there."""
    known = [name for name in by_category if name is not None]
    named = [("categories", name) for name in part.categories or ()]
    named += [("without", part.without)] if part.without is not None else []
    for setting, name in named:
        if name not in known:
            raise NothingRun(
                f"forget.{setting}: {where} has no category '{name}', {nearest(name, known)}"
            )


def _allowed(
    part: ForgetPart, by_category: Mapping[str | None, Sequence[str]], *, where: str
) -> list[str | None]:
    """The categories that may be drawn from; where none are named, also what says none."""
    if part.categories is not None:
        return list(part.categories)
    allowed = [name for name in by_category if part.without is None or name != part.without]
    if not allowed:
        raise NothingRun(
            f"forget.without = {part.without}: it is the only category of {where}, and nothing "
            "would be left"
        )
    return allowed


def _drawn_categories(
    allowed: Sequence[str | None], part: ForgetPart, *, seed: int, where: str
) -> list[str | None]:
    """In the order of the seed, the first of which are a smaller draw."""
    ordered = sorted(allowed, key=lambda name: (place_in_draw(str(name), seed), str(name)))
    if part.n_categories is None:
        return ordered
    named = [name for name in ordered if name is not None]
    if len(named) < part.n_categories:
        there = f"{len(named)} {'category' if len(named) == 1 else 'categories'}"
        left = " to draw from" if part.categories or part.without else ""
        raise NothingRun(f"forget.n_categories = {part.n_categories}: {where} has {there}{left}")
    return list(named[: part.n_categories])


def _drawn_behaviours(
    categories: Sequence[Sequence[str]], part: ForgetPart, *, seed: int
) -> list[str]:
    """One of each category in turn, in the order of the seed; all where no number is said."""
    ordered = [
        sorted(behaviours, key=lambda name: (place_in_draw(name, seed), name))
        for behaviours in categories
    ]
    in_turn = [name for turn in zip_longest(*ordered) for name in turn if name is not None]
    return list(dict.fromkeys(in_turn))[: part.n_behaviours]


def _with_only(pool: Pool, categories: set[str | None], behaviours: set[str]) -> Pool:
    samples = tuple(
        sample
        for sample in pool.samples
        if sample.category in categories and sample.behaviour in behaviours
    )
    content = [pool.sha256, [sample.id for sample in samples]]
    return replace(
        pool,
        samples=samples,
        uses=tuple(filter(None, (_used(use, samples) for use in pool.uses))),
        sha256=digest(cast("list", content)),
    )


def _used(use: DataUse, samples: Sequence[Sample]) -> DataUse | None:
    """What is left of a split that was used; None where nothing is."""
    left = [one for one in samples if one.id.startswith(f"{use.card}/{use.split}/")]
    if not left:
        return None
    return use.model_copy(update={"n": len(left), "sha256": tables.fingerprint(left)})


def _listed(categories: Sequence[str | None]) -> str:
    named = [name for name in categories if name is not None]
    if not named:
        return "all"
    word = "category" if len(named) == 1 else "categories"
    return f"{len(named)} {word} ({', '.join(sorted(named))})"
