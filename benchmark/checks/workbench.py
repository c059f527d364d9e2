"""What methods are checked on: two-layer models with random weights, a few samples of every pool.

The weights come from seeds and mean nothing, so that no check can reward a good figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from benchmark.api import Method
from benchmark.checks.importing import ImportReport, import_reports
from benchmark.core.samples import Sample
from benchmark.data.images import ImageStore
from benchmark.data.pools import Pool, Pools
from benchmark.models import ModelCard, ModelSource
from benchmark.stages.loaded import Loaded
from benchmark.suites import PoolParts, Suite, load_suite
from benchmark.testbed.architectures import LLAVA
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions

SUITE = "testbed-safety"
LAYERS = 2
BEHAVIOURS = 2
"""Taken of each part of a pool: with its forms and views about ten samples."""
ASKED_OF_EACH = 2
TARGET_SEED, OTHER_SEED = 0, 1
SHARPER = 5.0
"""A fresh head can hardly prefer any word; with this one a few steps can make an answer likely."""


class Workbench:
    """Shared by all methods that one command checks; everything is made when it is needed."""

    def __init__(self, folder: Path, *, names: Sequence[str], layers: int = LAYERS) -> None:
        self.folder = folder
        self._names = tuple(names)
        self._layers = layers
        self._imports: dict[str, ImportReport] = {}
        self._perceptions = Perceptions()
        self._images = ImageStore(folder / "images")
        self._pools = Pools()

    def loaded(self, precision: str) -> Loaded:
        """As a run has it: the target, what it was made of, and its gold model."""
        return Loaded(self._card, precision=precision, device="cpu", perceptions=self._perceptions)

    def other(self, precision: str) -> VisionLanguageModel:
        """A model of the same architecture with other weights."""
        return load_model(self._checkpoint("other", OTHER_SEED), name="other", precision=precision)

    def pools(self, method: Method[Any]) -> dict[str, Pool]:
        """A few samples of each pool that the method declares, in the modality it wants."""
        return {
            role: self._pools.load(self._suite, role, method.modality_of(role), images=self._images)
            for role in method.pools
        }

    @cached_property
    def requests(self) -> list[Sample]:
        """What models are asked here: requests with and without pictures."""
        found = [
            self._pools.load(self._suite, role, kind, images=self._images).samples[:ASKED_OF_EACH]
            for role in ("forget", "keep")
            for kind in ("text", "image")
        ]
        return [sample for samples in found for sample in samples]

    def imported(self, name: str) -> ImportReport:
        """How a method's import went in a process of its own; all names are tried at once."""
        if name not in self._imports:
            self._imports |= import_reports({*self._names, name} - self._imports.keys())
        return self._imports[name]

    @cached_property
    def _suite(self) -> Suite:
        suite = load_suite(SUITE)
        few = {role: _few(parts) for role, parts in suite.pools["train"].items()}
        return suite.model_copy(update={"pools": {"train": few}})

    @cached_property
    def _card(self) -> ModelCard:
        return ModelCard(
            name="check",
            title="Random weights, for checks",
            family="llava",
            source=ModelSource(path=str(self._checkpoint("target", TARGET_SEED))),
            vocabulary="testbed",
            gold=str(self._checkpoint("gold", OTHER_SEED)),
            before_vision=str(self._checkpoint("before_vision", TARGET_SEED)),
            licence="none",
            remedy="run the check again",
        )

    def _checkpoint(self, name: str, seed: int) -> Path:
        folder = self.folder / "models" / name
        if not folder.exists():
            model = LLAVA.untrained(seed, vision_layers=self._layers, language_layers=self._layers)
            if name == "before_vision":
                LLAVA.reset_projector(model, OTHER_SEED)
            with torch.no_grad():
                model.lm_head.weight.mul_(SHARPER)
            transformers_logging.disable_progress_bar()
            model.save_pretrained(folder)
            LLAVA.processor().save_pretrained(folder)
        return folder


def _few(parts: PoolParts) -> PoolParts:
    return PoolParts(
        text=tuple(part.model_copy(update={"limit": BEHAVIOURS}) for part in parts.text),
        image=tuple(part.model_copy(update={"limit": BEHAVIOURS}) for part in parts.image),
    )
