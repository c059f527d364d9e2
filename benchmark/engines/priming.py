"""Project the images of many requests before they are asked, each once, on all cores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from benchmark.core.samples import Sample
from benchmark.cost.clock import Clock
from benchmark.engines.workers import map_batches
from benchmark.vlm.model import VisionLanguageModel

# Images that a worker projects before it hands them over.
HANDED_OVER = 32


def prime_images(model: VisionLanguageModel, samples: Sequence[Sample]) -> None:
    """Afterwards `model.image_features` finds all images of the samples, where there was room."""
    missing: dict[str, Sample] = {}
    for sample in samples:
        for image in sample.images:
            if model.features.get(image.sha256) is None and image.path.exists():
                missing[image.sha256] = sample
    names = list(missing)
    groups = [names[at : at + HANDED_OVER] for at in range(0, len(names), HANDED_OVER)]

    def project(group: Sequence[str]) -> dict[str, np.ndarray]:
        made = model.project_apart([missing[name] for name in group], only=set(group))
        # As bytes: numpy has no bfloat16, and tensors cross processes by way of open files.
        return {name: t.cpu().contiguous().view(torch.uint8).numpy() for name, t in made.items()}

    clock = Clock(model.device.type)
    found: dict[str, torch.Tensor] = {}
    for made in map_batches(project, groups, model=model):
        found |= {
            name: torch.from_numpy(a).view(model.hf.dtype).to(model.device)
            for name, a in made.items()
        }
    if found:
        model.features.keep(found, wall_s=clock.wall_s, device_s=clock.device_s)
