"""Sampling: every question is answered so many times at a temperature, and one leak is enough.

leak@k, the share of behaviours of which at least one of k drawn answers complies: Reisizadeh et al.
2025, "Leak@k", arXiv:2511.04934, and the probabilistic evaluation of Scholten et al. 2024,
arXiv:2410.03523. Differs from the paper: rates are over behaviours, each averaged over its forms
first, and for k below the number of draws the unbiased estimate of Chen et al. 2021
(arXiv:2107.03374, eq. 1) is taken. Drawn from the whole vocabulary, no top-k and no top-p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from benchmark.core.method_config import MethodConfig
from benchmark.treating import Patient, State, Treatment, Watch

Temperature = Annotated[float, Field(gt=0, le=5, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class SamplingConfig(MethodConfig):
    """Between greedy decoding and the model's own distribution, and that one itself."""

    temperatures: Annotated[tuple[Temperature, ...], Field(min_length=1)] = (0.5, 1.0)
    draws: Annotated[int, Field(ge=2)] = 8
    """Answers to each attack, or question about a person to be forgotten; others are answered
    once."""


class Sampling(Treatment[SamplingConfig]):
    """The weights stay as they are."""

    def treat(self, patient: Patient, watch: Watch) -> Sequence[State]:
        """One state for each temperature."""
        return [
            State(held="as_left", temperature=temperature, n_draws=self.config.draws)
            for temperature in self.config.temperatures
        ]


TREATMENT = Sampling
