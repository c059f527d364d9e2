"""Textual unlearning: push harmful answers down and helpful ones up, on text alone.

Chakraborty et al. 2024, "Cross-Modal Safety Alignment: Is textual unlearning all you need?",
arXiv:2406.02575; the loss and its weights as VLSBench (arXiv:2411.19939v3, App. E.1) restates them:
L = -0.5 CE(harmful answer | harmful prompt) + 1 CE(helpful answer | harmful prompt)
    + 1 KL(reference || current) on normal prompts.
Its ancestor (Yao et al. 2023, arXiv:2310.10683) uses random answers in place of matched ones.

Differs from the paper: cross-entropies and KL are averaged over answer tokens only (the ancestor's
code lets question and padding tokens in); KL is a true KL, zero at the start, not a cross-entropy;
LoRA in full precision by default where the paper used QLoRA (`trains.language=qlora`); learning
rate, rank and steps are not in the paper. `ascent=bounded` is ours: the ascended term stops at a
ceiling. `helpful=mismatched` draws its K answers, with replacement, from the step's own harmless
batch, where the ancestor drew them once from all of TruthfulQA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from benchmark.api import (
    Count,
    LossMethod,
    PoolBatch,
    Positive,
    Reference,
    TrainingConfig,
    VisionLanguageModel,
    Weight,
)
from benchmark.training.losses import bounded_ascent, nll


@dataclass(frozen=True, kw_only=True)
class TextualUnlearningConfig(TrainingConfig):
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


class TextualUnlearning(LossMethod[TextualUnlearningConfig]):
    """Three terms, answer tokens only; without images the vision tower is not even run."""

    pools = ("forget", "keep")

    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> dict[str, Tensor]:
        """`harm` is the negated cross-entropy: minimising it is the ascent."""
        harm = nll(model, batch["forget"].answering("bad"))
        if self.config.ascent == "bounded":
            harm = bounded_ascent(harm, ceiling=self.config.ascent_ceiling)
        return {
            "harm": -harm,
            "helpful": self._helpful(model, batch),
            "utility": reference.kl(model, batch["keep"].answering("good")),
        }

    def _helpful(self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch]) -> Tensor:
        forget, keep = batch["forget"], batch["keep"]
        if self.config.helpful == "matched":
            return nll(model, forget.answering("good"))
        drawn = forget.rng.choices(keep.answers("good"), k=self.config.mismatches)
        return nll(model, forget.answering_with(drawn * len(forget.samples)))


METHOD = TextualUnlearning
