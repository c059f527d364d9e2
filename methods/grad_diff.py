"""Gradient difference: ascend on bad answers, descend on good ones to harmless requests.

Liu et al. 2022, "Continual Learning and Private Unlearning", arXiv:2203.12817, eq. 3; as in TOFU
(arXiv:2401.06121) and open-unlearning, whose weights (1 and 1) are the defaults here.
Differs from the paper: only answer tokens count; LoRA by default. `retain=kl` holds harmless
answers by KL to the untouched model, open-unlearning's option, over answer tokens where theirs
averages over all positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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
class GradDiffConfig(TrainingConfig):
    """Both terms count alike."""

    weights: Mapping[str, Weight] = field(default_factory=lambda: {"forget": 1.0, "keep": 1.0})
    retain: Literal["nll", "kl"] = "nll"
    """How harmless answers are kept: by their own likelihood, or by the untouched model's words."""


class GradDiff(LossMethod[GradDiffConfig]):
    """Two cross-entropies, one of them negated."""

    pools = ("forget", "keep")

    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> dict[str, Tensor]:
        """`forget` is ascended without a bound."""
        kept = batch["keep"].answering("good")
        keep = nll(model, kept) if self.config.retain == "nll" else reference.kl(model, kept)
        return {"forget": -nll(model, batch["forget"].answering("bad")), "keep": keep}


METHOD = GradDiff
