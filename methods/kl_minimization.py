"""KL minimisation: ascend on bad answers, stay where the untouched model was on harmless requests.

TOFU (Maini et al. 2024, arXiv:2401.06121, section 3.3, "KL Minimization").
Differs from the paper: both terms run over answer tokens only, where TOFU's KL averages over all
positions, prompts and padding included; LoRA by default.
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
class KlMinimizationConfig(TrainingConfig):
    """Both terms count alike."""

    weights: Mapping[str, Weight] = field(default_factory=lambda: {"forget": 1.0, "keep": 1.0})


class KlMinimization(LossMethod[KlMinimizationConfig]):
    """A negated cross-entropy and a KL."""

    pools = ("forget", "keep")

    def losses(
        self, model: VisionLanguageModel, batch: Mapping[str, PoolBatch], reference: Reference
    ) -> dict[str, Tensor]:
        """`forget` is ascended without a bound; `keep` is zero at the start."""
        return {
            "forget": -nll(model, batch["forget"].answering("bad")),
            "keep": reference.kl(model, batch["keep"].answering("good")),
        }


METHOD = KlMinimization
