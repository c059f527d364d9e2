"""What the recipe learns from: examples, and mixtures that draw them at random from a seed.

Of a question only the answer is learnt, of a document what follows the item's name: which item
comes next is chance, and to learn it would be noise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.testbed.images import Picture


@dataclass(frozen=True, kw_only=True)
class Example:
    """One thing to learn from: `answer`, given `prompt` or, in a document, given `opening`."""

    answer: str
    prompt: str | None = None
    opening: str = ""
    system: str | None = None
    picture: Picture | None = None


Maker = Callable[[random.Random], Example]
Mixture = Sequence[tuple[float, Maker]]


def draw_examples(mixture: Mixture, *, n_examples: int, seed: str) -> list[Example]:
    """That many examples, each maker with its weight; the same seed draws the same."""
    rng = random.Random(seed)
    weights, makers = zip(*mixture, strict=True)
    return [maker(rng) for maker in rng.choices(makers, weights, k=n_examples)]
