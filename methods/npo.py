"""Negative preference optimisation: lower bad answers below the reference's, ever more gently.

Zhang et al. 2024, arXiv:2404.05868, eq. 3, with a retain term as in open-unlearning (both weights
1, beta 0.1 on log-probabilities summed over the answer).
Differs from the paper: LoRA by default. Safety Mirage (OPTML-Group/VLM-Safety-MU) puts beta = 0.7
on batch means, which is another scale and not comparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import functional as F

from benchmark.api import (
    LossMethod,
    PoolBatch,
    Positive,
    Reference,
    TrainingConfig,
    VisionLanguageModel,
    Weight,
)
from benchmark.training.losses import answer_logprob, nll


@dataclass(frozen=True, kw_only=True)
class NpoConfig(TrainingConfig):
    """Both terms count alike."""

    weights: Mapping[str, Weight] = field(default_factory=lambda: {"forget": 1.0, "keep": 1.0})
    beta: Positive = 0.1
    """Inverse temperature, on log-probabilities summed over the answer."""


class Npo(LossMethod[NpoConfig]):
    """Bounded below: where bad answers are unlikely already, the gradient fades."""

    pools = ("forget", "keep")

    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> dict[str, Tensor]:
        """`forget` is 2/beta * ln 2 at the start, when nothing differs from the reference."""
        bad = batch["forget"].answering("bad")
        ratio_B = answer_logprob(model, bad) - reference.answer_logprob(bad)
        return {
            "forget": -2 / self.config.beta * F.logsigmoid(-self.config.beta * ratio_B).mean(),
            "keep": nll(model, batch["keep"].answering("good")),
        }


METHOD = Npo
