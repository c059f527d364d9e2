"""Benign fine-tuning: so many further steps on harmless samples of the keep pool.

After Qi et al. 2023, "Fine-tuning Aligned Language Models Compromises Safety", arXiv:2310.03693,
section 4.4: harmless tuning alone can undo safety. Differs from the paper: the tuning data are the
suite's keep pool, and what is asked are behaviours that no method has seen, or persons whom all
were to forget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from benchmark.core.roles import PoolModality
from benchmark.data.pools import Pool
from benchmark.treating import Patient, State, Treatment, Watch
from benchmark.treatments._tuning import TuningConfig, fine_tune


@dataclass(frozen=True, kw_only=True)
class BenignConfig(TuningConfig):
    """The rate that `relearn` has, so that what it does can be set beside it. In text, with which
    the untouched miniature keeps its twins on validation (0.99); with pictures of the keep pool it
    loses harmless pages at any of three rates (0.80 to 0.84)."""

    modality: PoolModality = "text"
    steps: Annotated[int, Field(ge=1)] = 100
    batch_size: Annotated[int, Field(ge=1)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3


class Benign(Treatment[BenignConfig]):
    """Good answers to harmless requests."""

    def material(self, patient: Patient) -> Mapping[str, Pool]:
        """The whole keep pool."""
        return {"keep": patient.pool("keep", self.config.modality)}

    def treat(self, patient: Patient, watch: Watch) -> Sequence[State]:
        """The model after the last step."""
        (pool,) = self.material(patient).values()
        return fine_tune(
            patient, watch, config=self.config, pool=pool, answer="good",
            steps=(self.config.steps,),
        )  # fmt: skip


TREATMENT = Benign
