"""Textual unlearning: push harmful answers down and helpful ones up, on text alone.

Chakraborty et al. 2024, "Cross-Modal Safety Alignment: Is textual unlearning all you need?",
arXiv:2406.02575; the loss stands in `benchmark/training/unlearning.py`, with its sources.

Differs from the paper: cross-entropies and KL are averaged over answer tokens only (the ancestor's
code lets question and padding tokens in); KL is a true KL, zero at the start, not a cross-entropy;
LoRA in full precision by default where the paper used QLoRA (`trains.language=qlora`); learning
rate, rank and steps are not in the paper. `ascent=bounded` is ours: the ascended term stops at a
ceiling. `helpful=mismatched` draws its K answers, with replacement, from the step's own harmless
batch, where the ancestor drew them once from all of TruthfulQA.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from benchmark.api import LossMethod, PoolBatch, Reference, VisionLanguageModel
from benchmark.training.unlearning import UnlearningConfig, unlearning_terms


class TextualUnlearning(LossMethod[UnlearningConfig]):
    """Three terms, answer tokens only; without images the vision tower is not even run."""

    pools = ("forget", "keep")

    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> dict[str, Tensor]:
        """`harm` down, `helpful` up, `utility` where it was."""
        return unlearning_terms(self.config, model, batch, reference)


METHOD = TextualUnlearning
