"""Refusal tuning: answer every harmful request with one of a few refusals, keep the rest.

The "preference optimisation" / IDK baseline of TOFU (Maini et al. 2024, arXiv:2401.06121, section
3.3) with refusals in place of "I don't know".
Differs from the paper: refusals are a short list of our own, in words that the miniature model
knows; a cross-entropy over answer tokens, both weights 1; LoRA by default. Unlike SFT on good
answers it never says what a request is about.
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
class RefusalTuningConfig(TrainingConfig):
    """Both terms count alike."""

    weights: Mapping[str, Weight] = field(default_factory=lambda: {"refuse": 1.0, "keep": 1.0})
    refusals: tuple[str, ...] = (
        "sorry, i can not help with that.",
        "no, i will not tell you that.",
        "i am sorry, but i can not answer that.",
        "i refuse to help with that.",
    )
    """One is drawn for each request of a step."""

    def __post_init__(self) -> None:
        """There must be something to say."""
        super().__post_init__()
        if not self.refusals or not all(refusal.strip() for refusal in self.refusals):
            raise ValueError("refusals: at least one is needed, and none may be empty")


class RefusalTuning(LossMethod[RefusalTuningConfig]):
    """Two cross-entropies."""

    pools = ("forget", "keep")

    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> dict[str, Tensor]:
        """`refuse` is the cross-entropy of refusals drawn for this step."""
        forget = batch["forget"]
        drawn = forget.rng.choices(self.config.refusals, k=len(forget.samples))
        return {
            "refuse": nll(model, forget.answering_with(drawn)),
            "keep": nll(model, batch["keep"].answering("good")),
        }


METHOD = RefusalTuning
