"""What a family's processor gives back for several requests at once, request by request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.core.samples import Sample

GRID, TILES = "image_grid_thw", "aspect_ratio_mask"
"""Under which name there is a grid of every image, or which of its tiles are there."""


def unpadded(made: Mapping[str, Any]) -> list[list[int]]:
    """Token ids of each request."""
    rows = zip(made["input_ids"], made["attention_mask"], strict=True)
    return [[int(i) for i, real in zip(*row, strict=True) if real] for row in rows]


def grids_of(made: Mapping[str, Any], samples: Sequence[Sample]) -> list[Tensor | None]:
    """A grid for every image, by the sample that it is of."""
    n_images = [len(sample.images) for sample in samples]
    if GRID in made:
        return list(torch.as_tensor(np.asarray(made[GRID])).split(n_images))
    if TILES in made:
        tiles = torch.as_tensor(np.asarray(made[TILES]))
        return [of_one[:n] for of_one, n in zip(tiles, n_images, strict=True)]
    return [None] * len(samples)
