"""How likely answers are under a model: what coherence is measured by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from benchmark.core.samples import Sample
from benchmark.engines.plan import plan_batches
from benchmark.engines.priming import prime_images
from benchmark.engines.workers import map_batches
from benchmark.training.losses import answer_logprob
from benchmark.vlm.model import VisionLanguageModel

# exp of this is the largest perplexity told; beyond it the number says nothing more.
MAX_NATS = 50.0


class BaseScorer:
    """Perplexity of answers under the untouched model, in batches of requests of like modality and
    length whatever the answers are."""

    def __init__(self, model: VisionLanguageModel, *, batch_size: int = 64) -> None:
        self.model = model
        self.batch_size = batch_size

    def __call__(self, samples: Sequence[Sample], answers: Sequence[str]) -> list[float]:
        """exp of the mean nats per answer token (end of sequence included), one per pair; a sample
        comes once."""
        self.model.encoder.prompts(samples)
        prime_images(self.model, samples)
        answer_of = {s.id: answer for s, answer in zip(samples, answers, strict=True)}
        assert len(answer_of) == len(samples), "a sample comes once"
        length_of = self.model.encoder.prompt_length
        plan = plan_batches(samples, batch_size=self.batch_size, length_of=length_of)
        batches = [[(sample, answer_of[sample.id]) for sample in batch] for batch in plan]
        found: dict[str, float] = {}
        for batch, values in zip(
            batches, map_batches(self._perplexities, batches, model=self.model), strict=True
        ):
            found |= {sample.id: value for (sample, _), value in zip(batch, values, strict=True)}
        return [found[sample.id] for sample in samples]

    @torch.inference_mode()
    def _perplexities(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        view = self.model.view([sample for sample, _ in pairs], [answer for _, answer in pairs])
        nats_B = -answer_logprob(self.model, view) / view.answer_mask_BT.sum(1)
        return [math.exp(min(nats, MAX_NATS)) for nats in nats_B.tolist()]
