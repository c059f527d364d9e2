"""The guidance of text-guided alignment on a finished vision-language model, with LoRA.

The loss and the data of Xu et al. 2024, arXiv:2410.12662 (see `tga`), on a model that sees already.

Differs from the paper: everything but loss and data. The paper aligns while the model learns to
see, in two phases and in full; this adapts the language model alone, in one, and is not TGA. R is
without gradient, as in `tga`.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.api import Job, Method, PoolModality, PoolRole, Unlearned
from benchmark.training.guidance import GUIDED_POOLS, MODALITIES, GuidedConfig, tune


@dataclass(frozen=True, kw_only=True)
class TgaPosthocConfig(GuidedConfig):
    """LoRA on the language model, as other methods on a finished model have it."""

    learning_rate: float = 1e-3


class TgaPosthoc(Method[TgaPosthocConfig]):
    """The main phase alone, on the target."""

    pools = GUIDED_POOLS
    grid = {"learning_rate": (1e-4, 3e-4, 1e-3, 3e-3), "guidance": (0.3, 1.0)}

    def unlearn(self, job: Job) -> Unlearned:
        """An adapter."""
        tune(job, self.config)
        return Unlearned(weights=job.model.weights_delta())

    def modality_of(self, role: PoolRole) -> PoolModality:
        """Harmless images with captions, instructions of both kinds, harm in text only."""
        return MODALITIES[role]


METHOD = TgaPosthoc
