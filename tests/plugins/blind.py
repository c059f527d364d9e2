"""Destroy a model's sight: set its projector to zero. A defence that only looks like one.

Source: none, made for a test. Differs from the paper: there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from benchmark.api import Job, Method, Role, TrainingConfig, Tuning, Unlearned


@dataclass(frozen=True, kw_only=True)
class BlindConfig(TrainingConfig):
    """The projector is what changes, and nothing is learnt."""

    trains: Mapping[Role, Tuning] = field(default_factory=lambda: {"projector": "full"})
    steps: int = 0


class Blind(Method[BlindConfig]):
    """No training at all."""

    deterministic = True

    def unlearn(self, job: Job) -> Unlearned:
        """Zero the projector."""
        job.minimise(lambda model, batch, reference: {}, config=self.config)
        with torch.no_grad():
            for _, parameter in job.model.roles.parameters(job.model.hf, "projector"):
                parameter.zero_()
        return Unlearned(weights=job.model.weights_delta())


METHOD = Blind
