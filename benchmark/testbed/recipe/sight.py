"""Stage 3: the vision tower learns to see, patch by patch, as captions would teach a large one.

Every visual token is asked for its own letter and, so that features travel, for what the whole
picture shows. The heads are thrown away.
Shape suffixes: B samples, P visual tokens, D width, K classes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from benchmark.testbed import images as draw
from benchmark.testbed.architectures import Architecture
from benchmark.testbed.font import CHARACTERS
from benchmark.testbed.images import Picture
from benchmark.testbed.items import World
from benchmark.testbed.lexicon import CATEGORIES, OBJECTS
from benchmark.testbed.scenes import COUNTS, POSITIONS, all_scenes
from benchmark.testbed.shapes import COLORS, SCENE_SHAPES
from benchmark.testbed.world import random_name

_LETTERS = {letter: number for number, letter in enumerate(CHARACTERS)}
_BLANK = _LETTERS[" "]
# What the whole picture shows; class 0 is "none of them".
_SHOWN: dict[str, tuple[str, ...]] = {
    "category": tuple(category.name for category in CATEGORIES),
    "ink": tuple(COLORS),
    "shape": SCENE_SHAPES,
    "color": tuple(COLORS),
    "count": COUNTS,
    "position": POSITIONS,
}
_BLANK_WEIGHT = 0.1  # most patches are empty
ACTIVATION_PENALTY = 1e-3  # without it features outgrow the word embeddings a hundredfold


@dataclass(frozen=True, kw_only=True)
class Sights:
    """A batch of pictures and what they show."""

    pixels: dict[str, torch.Tensor]
    letters_BP: torch.Tensor
    shown_B: dict[str, torch.Tensor]


class SightTeacher(nn.Module):
    """The tower under linear heads that are thrown away afterwards."""

    def __init__(self, model: Any, architecture: Architecture) -> None:
        super().__init__()
        self.tower = architecture.tower(model)
        self.see = partial(architecture.seen, model)
        width = architecture.n_features
        self.letters = nn.Linear(width, len(CHARACTERS))
        self.shown = nn.ModuleDict(
            {name: nn.Linear(width, 1 + len(kinds)) for name, kinds in _SHOWN.items()}
        )

    def loss(self, sights: Sights) -> torch.Tensor:
        """Cross-entropy of letters and of what is shown, plus the penalty on activations."""
        features_BPD = self.see(sights.pixels)
        n_patches = features_BPD.shape[1]
        weights_K = torch.ones(len(CHARACTERS))
        weights_K[_BLANK] = _BLANK_WEIGHT
        loss = F.cross_entropy(
            self.letters(features_BPD).flatten(0, 1), sights.letters_BP.flatten(), weight=weights_K
        )
        for name, head in self.shown.items():
            labels_BP = sights.shown_B[name][:, None].expand(-1, n_patches)
            loss = loss + 0.2 * F.cross_entropy(
                head(features_BPD).flatten(0, 1), labels_BP.flatten()
            )
        return loss + ACTIVATION_PENALTY * features_BPD.square().mean()


def sight_steps(
    teacher: SightTeacher,
    world: World,
    *,
    architecture: Architecture,
    size: int,
    seed: str,
) -> Callable[[int, int], Iterator[Callable[[], torch.Tensor]]]:
    """The steps of this stage for `loop.minimise`: freshly drawn pictures every step."""

    def steps(block: int, n_steps: int) -> Iterator[Callable[[], torch.Tensor]]:
        rng = random.Random(f"{seed} {block}")
        for _ in range(n_steps):
            sights = _sights([any_picture(rng, world) for _ in range(size)], architecture)
            yield partial(teacher.loss, sights)

    return steps


def _sights(pictures: list[Picture], architecture: Architecture) -> Sights:
    letters = [[_LETTERS[c] for row in picture.letters for c in row] for picture in pictures]
    shown = {name: torch.tensor([_class(picture, name) for picture in pictures]) for name in _SHOWN}
    return Sights(
        pixels=architecture.pixels([picture.pixels_HWC for picture in pictures]),
        letters_BP=torch.tensor(letters),
        shown_B=shown,
    )


def _class(picture: Picture, name: str) -> int:
    owner = picture if name in ("category", "ink") else picture.scene
    value = getattr(owner, name, None)
    return 0 if value is None else 1 + _SHOWN[name].index(value)


def any_picture(rng: random.Random, world: World) -> Picture:
    """A picture of any kind, of any item or none: what there is to see."""
    kind = rng.random()
    if kind < 0.20:
        return draw.page(rng, lines=_dense_lines(rng))
    if kind < 0.35:
        word = _any_word(rng, world)
        return draw.recipe_page(rng, word=word, phrases="train")
    if kind < 0.40:
        return draw.list_page(rng, things=tuple(rng.sample(OBJECTS, 3)), phrases="train")
    if kind < 0.70:
        if rng.random() < 0.5:
            item = rng.choice(world.items)
            name, category = item.name, item.category.name
        else:
            name, category = _any_word(rng, world), rng.choice(CATEGORIES).name
        return draw.icon(rng, name=name, category=category, printed=rng.random() < 0.3)
    if kind < 0.94:
        return draw.scene_picture(rng, rng.choice(all_scenes()))
    return draw.blank(rng) if kind < 0.97 else draw.noise(rng)


def _any_word(rng: random.Random, world: World) -> str:
    if rng.random() < 0.5:
        return rng.choice(world.items).name
    return random_name(rng)


def _dense_lines(rng: random.Random) -> list[str]:
    return ["".join(rng.choices(CHARACTERS, k=draw.N_CELLS)) for _ in range(draw.N_CELLS)]
