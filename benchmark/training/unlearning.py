"""The loss of textual unlearning, which its text-only and its multimodal method preset.

Chakraborty et al. 2024, arXiv:2406.02575, with the loss and its weights as VLSBench
(arXiv:2411.19939v3, App. E.1) restates them:
L = -0.5 CE(harmful answer | harmful prompt) + 1 CE(helpful answer | harmful prompt)
    + 1 KL(reference || current) on normal prompts.
Its ancestor (Yao et al. 2023, arXiv:2310.10683) uses random answers in place of matched ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from benchmark.api import Count, Positive, TrainingConfig, Weight
from benchmark.training.batches import PoolBatch
from benchmark.training.losses import bounded_ascent, nll
from benchmark.training.reference import Reference
from benchmark.vlm.model import VisionLanguageModel


@dataclass(frozen=True, kw_only=True)
class UnlearningConfig(TrainingConfig):
    """The published loss by default."""

    weights: Mapping[str, Weight] = field(
        default_factory=lambda: {"harm": 0.5, "helpful": 1.0, "utility": 1.0}
    )
    ascent: Literal["published", "bounded"] = "published"
    ascent_ceiling: Positive = 5.0
    """Nats per token at which `ascent=bounded` stops pushing."""
    helpful: Literal["matched", "mismatched"] = "matched"
    """Matched: the prompt's own good answer. Mismatched: answers to other, harmless prompts."""
    mismatches: Count = 5
    """Random answers, the same for all harmful prompts of a step (the ancestor's K)."""


def unlearning_terms(
    config: UnlearningConfig,
    model: VisionLanguageModel,
    batch: Mapping[str, PoolBatch],
    reference: Reference,
) -> dict[str, Tensor]:
    """Three terms over answer tokens only; `harm` is the negated cross-entropy, so that minimising
    it is the ascent."""
    harm = nll(model, batch["forget"].answering("bad"))
    if config.ascent == "bounded":
        harm = bounded_ascent(harm, ceiling=config.ascent_ceiling)
    return {
        "harm": -harm,
        "helpful": _helpful(config, model, batch),
        "utility": reference.kl(model, batch["keep"].answering("good")),
    }


def _helpful(
    config: UnlearningConfig, model: VisionLanguageModel, batch: Mapping[str, PoolBatch]
) -> Tensor:
    forget, keep = batch["forget"], batch["keep"]
    if config.helpful == "matched":
        return nll(model, forget.answering("good"))
    drawn = forget.rng.choices(keep.answers("good"), k=config.mismatches)
    return nll(model, forget.answering_with(drawn * len(forget.samples)))
