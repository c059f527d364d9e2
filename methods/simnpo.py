"""SimNPO: negative preference optimisation by length-normalised likelihood, without a reference.

Fan et al. 2024, arXiv:2410.07163, eq. 4; defaults as in open-unlearning: beta 4.5, delta 0, forget
weight 0.125, retain weight 1.
Differs from the paper: LoRA by default; the retain term is a cross-entropy over answer tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import functional as F

from benchmark.api import (
    LossMethod,
    NotNegative,
    PoolBatch,
    Positive,
    Reference,
    TrainingConfig,
    VisionLanguageModel,
    Weight,
)
from benchmark.training.losses import answer_logprob, nll


@dataclass(frozen=True, kw_only=True)
class SimNpoConfig(TrainingConfig):
    """The forget term counts an eighth of the other."""

    weights: Mapping[str, Weight] = field(default_factory=lambda: {"forget": 0.125, "keep": 1.0})
    beta: Positive = 4.5
    """Inverse temperature, on nats per answer token."""
    delta: NotNegative = 0.0
    """Margin in nats per token: answers less likely than that count as forgotten."""


class SimNpo(LossMethod[SimNpoConfig]):
    """Each bad answer counts by its mean token, short ones as much as long ones."""

    pools = ("forget", "keep")

    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> dict[str, Tensor]:
        """`forget` falls to 0 as bad answers become unlikely."""
        bad = batch["forget"].answering("bad")
        nats_B = -answer_logprob(model, bad) / bad.answer_mask_BT.sum(1)
        beta, margin_B = self.config.beta, nats_B - self.config.delta
        return {
            "forget": -2 / beta * F.logsigmoid(beta * margin_B).mean(),
            "keep": nll(model, batch["keep"].answering("good")),
        }


METHOD = SimNpo
