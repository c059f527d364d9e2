"""Scenes of shapes: what may be in a picture, and which scenes belong to which split."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmark.testbed.shapes import COLORS, SCENE_SHAPES

POSITIONS = ("left", "right", "top", "bottom")
COUNTS = ("one", "two", "three", "four")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """`count` equal shapes of one colour; `position` only where there is one."""

    shape: str
    color: str
    count: str
    position: str | None


def all_scenes() -> tuple[Scene, ...]:
    """Every scene there is, in a stable order."""
    return tuple(
        Scene(shape=shape, color=color, count=count, position=position)
        for shape in SCENE_SHAPES
        for color in COLORS
        for count in COUNTS
        for position in (POSITIONS if count == "one" else (None,))
    )


def scenes_of(split: str) -> list[Scene]:
    """The scenes of a split: a tenth for validation, a fifth for test, the rest for training."""
    scenes = random.Random("scenes").sample(all_scenes(), len(all_scenes()))
    n_validation, n_test = len(scenes) // 10, len(scenes) // 5
    bounds = {
        "validation": scenes[:n_validation],
        "test": scenes[n_validation : n_validation + n_test],
        "train": scenes[n_validation + n_test :],
    }
    return bounds[split]
