"""What faces are made of: parts, each a shape in a colour that icons know too."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields

from benchmark.testbed.world import syllables

MINIMUM_OTHER_PARTS = 2  # in which any two faces differ, so that one part misread is nobody else


@dataclass(frozen=True, kw_only=True)
class Face:
    """Four parts, from top to bottom; the eyes are drawn twice. Each is a syllable: its consonant
    stands for the shape, its vowel for the colour, as in icons."""

    hat: str
    eyes: str
    nose: str
    mouth: str

    @property
    def parts(self) -> tuple[str, ...]:
        """From top to bottom."""
        return tuple(getattr(self, part.name) for part in fields(self))


def random_face(rng: random.Random) -> Face:
    """Parts drawn independently, so that no face says anything of a name."""
    hat, eyes, nose, mouth = (rng.choice(syllables()) for _ in range(4))
    return Face(hat=hat, eyes=eyes, nose=nose, mouth=mouth)


def is_near_face(one: Face, other: Face) -> bool:
    """Do they differ in fewer parts than any two persons do?"""
    n_other = sum(a != b for a, b in zip(one.parts, other.parts, strict=True))
    return n_other < MINIMUM_OTHER_PARTS
