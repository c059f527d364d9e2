"""Project the images of many requests before they are asked, each once, on all cores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from benchmark.core.samples import ImageFile, Sample
from benchmark.engines.workers import map_batches
from benchmark.vlm.model import VisionLanguageModel

# Images that a worker projects before it hands them over.
HANDED_OVER = 32
# Numpy has no bfloat16, and tensors would cross processes by way of open files.
Bytes = tuple[torch.dtype, np.ndarray]


def prime_images(model: VisionLanguageModel, samples: Sequence[Sample]) -> None:
    """Afterwards `model.image_features` finds all images of the samples, where there was room."""
    missing = {
        image.sha256: image
        for sample in samples
        for image in sample.images
        if model.features.lend(image) is None
    }
    if not missing or not model.features.has_room:
        return
    images = list(missing.values())
    groups = [images[at : at + HANDED_OVER] for at in range(0, len(images), HANDED_OVER)]

    def project(group: Sequence[ImageFile]) -> dict[str, Bytes]:
        made = model.project_apart(group)
        return {name: _to_bytes(features) for name, features in made.items()}

    done: set[str] = set()
    with model.features.lending.making(done):
        for made in map_batches(project, groups, model=model):
            model.features.keep({name: _from_bytes(features) for name, features in made.items()})
            done.update(made)
            if not model.features.has_room:
                break


def _to_bytes(features_ND: torch.Tensor) -> Bytes:
    return features_ND.dtype, features_ND.cpu().contiguous().view(torch.uint8).numpy()


def _from_bytes(features: Bytes) -> torch.Tensor:
    dtype, octets = features
    return torch.from_numpy(octets).view(dtype)
