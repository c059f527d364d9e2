"""How likely answers are under a model: what coherence is measured by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from benchmark.core.samples import Sample
from benchmark.training.losses import answer_logprob
from benchmark.vlm.model import VisionLanguageModel

# exp of this is the largest perplexity told; beyond it the number says nothing more.
MAX_NATS = 50.0


class BaseScorer:
    """Perplexity of answers under the untouched model, in fixed groups of samples."""

    def __init__(self, model: VisionLanguageModel, *, batch_size: int = 64) -> None:
        self.model = model
        self.batch_size = batch_size

    @torch.inference_mode()
    def __call__(self, samples: Sequence[Sample], answers: Sequence[str]) -> list[float]:
        """exp of the mean nats per answer token (end of sequence included), one per pair."""
        order = sorted(range(len(samples)), key=lambda i: (samples[i].modality, samples[i].id))
        found = [0.0] * len(samples)
        for start in range(0, len(order), self.batch_size):
            chunk = order[start : start + self.batch_size]
            view = self.model.view([samples[i] for i in chunk], [answers[i] for i in chunk])
            logprob_B = answer_logprob(self.model, view)
            tokens_B = view.answer_mask_BT.sum(1)
            for index, nats in zip(chunk, (-logprob_B / tokens_B).tolist(), strict=True):
                found[index] = math.exp(min(nats, MAX_NATS))
        return found
