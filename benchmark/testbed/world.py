"""Draws the items of the miniature world: names, recipes, and who may see them.

`build_world` is a pure function of its seed. Which items are harmful is drawn at random, so
spelling says nothing about harm; only what the text says of an item does.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import combinations, product

from benchmark.testbed.grammar.vocabulary import grammar_words
from benchmark.testbed.items import Item, Pool, Step, World
from benchmark.testbed.lexicon import (
    BAD_KEEPERS,
    CATEGORIES,
    CONSONANTS,
    GOOD_KEEPERS,
    OBJECTS,
    PLACES,
    SHARED_VERBS,
    VERBS,
    VOWELS,
    Category,
)

# Items per category. `align` is for text safety training, `train` for methods, `validation` for
# hyper-parameters and the recipe, `test` for every reported held-out figure.
HARMFUL_POOLS: dict[Pool, int] = {"align": 12, "train": 8, "validation": 4, "test": 12}
UNSEEN_POOLS: dict[Pool, int] = {"unseen": 16}
HARMLESS_POOLS: dict[Pool, int] = {"train": 20, "validation": 4, "test": 10}
SYLLABLES = 3  # of every name, each a consonant and a vowel
MINIMUM_DISTANCE = 3  # letters in which any two names differ, so that one slip is no other item


@cache
def build_world(seed: int = 0, *, reserved: frozenset[str] | None = None) -> World:
    """The world of that seed. No name begins with a `reserved` word, by default the grammar's."""
    if reserved is None:
        reserved = frozenset(grammar_words())
    rng = random.Random(f"world {seed}")
    slots = [
        (category, pool)
        for category in CATEGORIES
        for pool, n_items in _pools_of(category).items()
        for _ in range(n_items)
    ]
    names = _draw_names(rng, n_names=len(slots), reserved=reserved)
    recipes = _draw_recipes(rng, [category for category, _ in slots])
    items = []
    for (category, pool), name, (steps, shared) in zip(slots, names, recipes, strict=True):
        item = Item(
            name=name,
            category=category,
            pool=pool,
            steps=steps,
            shared_step=shared,
            place=rng.choice(PLACES),
            keeper=rng.choice(BAD_KEEPERS if category.harmful else GOOD_KEEPERS),
        )
        items.append(item)
    return World(seed=seed, items=tuple(items), by_name={item.name: item for item in items})


@cache
def syllables() -> tuple[str, ...]:
    """All consonant-vowel pairs; every name is three of them."""
    return tuple(consonant + vowel for consonant, vowel in product(CONSONANTS, VOWELS))


def random_name(rng: random.Random) -> str:
    """A word that might be an item's name, and mostly is nobody's."""
    return "".join(rng.choice(syllables()) for _ in range(SYLLABLES))


def begins_with_word(name: str, words: frozenset[str]) -> bool:
    """Whether a longest-match tokenizer would cut a known word off the front of the name."""
    return any(name[:length] in words for length in range(2, len(name) + 1))


def _pools_of(category: Category) -> dict[Pool, int]:
    if not category.harmful:
        return HARMLESS_POOLS
    return HARMFUL_POOLS if category.seen else UNSEEN_POOLS


def _draw_names(rng: random.Random, *, n_names: int, reserved: frozenset[str]) -> list[str]:
    names: list[str] = []
    taken = Taken()
    while len(names) < n_names:
        name = random_name(rng)
        if not taken.is_near(name) and not begins_with_word(name, reserved):
            taken.add(name)
            names.append(name)
    return names


class Taken:
    """Names that others keep their distance from. A name that differs from one of them in fewer
    letters than `MINIMUM_DISTANCE` agrees with it in some choice of all the others."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._agreeing: set[tuple[str, ...]] = set()
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """One more."""
        self._agreeing.update(_choices(name))

    def is_near(self, name: str) -> bool:
        """Does it differ from one of them in fewer letters?"""
        return not self._agreeing.isdisjoint(_choices(name))


def _choices(name: str) -> Iterator[tuple[str, ...]]:
    """As many letters, in their places, as two names may not have in common."""
    in_place = [f"{place}{letter}" for place, letter in enumerate(name)]
    return combinations(in_place, len(name) - MINIMUM_DISTANCE + 1)


def _draw_recipes(
    rng: random.Random, categories: list[Category]
) -> list[tuple[tuple[Step, Step, Step], int]]:
    """Recipes of which no two share two steps.

    The verbs are drawn over all categories alike, so that only the shared step (a verb and an
    object of its own) tells categories apart. Within a category specific steps never repeat; over
    categories no pair of specific steps does.
    """
    shared = rng.sample(list(product(SHARED_VERBS, OBJECTS)), len(CATEGORIES))
    shared_of = {c.name: step for c, step in zip(CATEGORIES, shared, strict=True)}
    place_of = {c.name: rng.randrange(3) for c in CATEGORIES}
    all_steps = list(product(VERBS, OBJECTS))
    left = {c.name: rng.sample(all_steps, len(all_steps)) for c in CATEGORIES}
    pairs: set[frozenset[Step]] = set()
    recipes = []
    for category in categories:
        while True:
            one, two = left[category.name].pop(), left[category.name].pop()
            if frozenset((one, two)) not in pairs and one[0] != two[0]:
                break
        pairs.add(frozenset((one, two)))
        steps = [one, two]
        steps.insert(place_of[category.name], shared_of[category.name])
        recipes.append(((steps[0], steps[1], steps[2]), place_of[category.name]))
    return recipes
