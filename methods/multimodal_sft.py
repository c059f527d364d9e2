"""Plain supervised fine-tuning on text and images: learn the good answers, push nothing down.

Source: MM-SFT of VLSBench (arXiv:2411.19939v3, table 2), which tunes on VLGuard, and the multimodal
SFT baseline of arXiv:2406.02575. Differs from the paper: the suite's own pools in place of VLGuard;
neither paper gives the weights, both terms count alike; averages run over answer tokens only; LoRA
on the language model, vision tower and projector frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from benchmark.api import (
    LossMethod,
    PoolBatch,
    PoolModality,
    Reference,
    TrainingConfig,
    VisionLanguageModel,
    Weight,
)
from benchmark.training.losses import nll


@dataclass(frozen=True, kw_only=True)
class MultimodalSftConfig(TrainingConfig):
    """Both terms count alike; text and images."""

    modality: PoolModality = "both"
    weights: Mapping[str, Weight] = field(default_factory=lambda: {"helpful": 1.0, "keep": 1.0})


class MultimodalSft(LossMethod[MultimodalSftConfig]):
    """Cross-entropy on good answers to harmful requests and to harmless ones."""

    pools = ("forget", "keep")

    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> dict[str, Tensor]:
        """Both are ordinary cross-entropies."""
        return {
            "helpful": nll(model, batch["forget"].answering("good")),
            "keep": nll(model, batch["keep"].answering("good")),
        }


METHOD = MultimodalSft
