"""Gradient ascent: make bad answers less likely, and nothing else.

Jang et al. 2022, "Knowledge Unlearning for Mitigating Privacy Risks in Language Models",
arXiv:2210.01504, eq. 2: the language-modelling loss of what is to be forgotten, negated.
Differs from the paper: only answer tokens count, averaged over the batch; LoRA by default where the
paper moves all weights. There is no bound: without one the model leaves language behind when pushed
far, which this row is there to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from benchmark.api import (
    LossMethod,
    PoolBatch,
    Reference,
    TrainingConfig,
    VisionLanguageModel,
    Weight,
)
from benchmark.training.losses import nll


@dataclass(frozen=True, kw_only=True)
class GradientAscentConfig(TrainingConfig):
    """One term."""

    weights: Mapping[str, Weight] = field(default_factory=lambda: {"forget": 1.0})


class GradientAscent(LossMethod[GradientAscentConfig]):
    """The negated cross-entropy of bad answers."""

    pools = ("forget",)

    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> dict[str, Tensor]:
        """Minimising it is the ascent."""
        return {"forget": -nll(model, batch["forget"].answering("bad"))}


METHOD = GradientAscent
