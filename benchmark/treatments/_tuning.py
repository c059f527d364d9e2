"""Plain fine-tuning of a finished model with the shared loop, and the adapter at chosen steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from benchmark.api import Losses, PoolBatch, Reference, TrainingConfig, Weight
from benchmark.core.method_config import WHOLE, Share
from benchmark.core.roles import Role, Tuning
from benchmark.data.pools import Pool
from benchmark.training.checkpoint import remove_checkpoints
from benchmark.training.loop import Loop
from benchmark.training.losses import nll
from benchmark.treating import Patient, State, Watch
from benchmark.vlm.model import VisionLanguageModel

EVERY_S = 20.0
TERM = "answers"


@dataclass(frozen=True, kw_only=True)
class TuningConfig(TrainingConfig):
    """One term at a constant learning rate, so that a longer training begins as a shorter one."""

    trains: Mapping[Role, Tuning] = field(default_factory=lambda: {"language": "lora"})
    weights: Mapping[str, Weight] = field(default_factory=lambda: {TERM: 1.0})
    warmup_share: Share = 0.0
    schedule: Literal["constant"] = "constant"

    def __post_init__(self) -> None:
        """What it learns from is drawn by settings of its own."""
        super().__post_init__()
        if self.forget != WHOLE:
            raise ValueError("forget: is of methods; a treatment says itself what it learns from")


def fine_tune(
    patient: Patient,
    watch: Watch,
    *,
    config: TrainingConfig,
    pool: Pool,
    answer: Literal["bad", "good"],
    steps: Collection[int],
) -> Sequence[State]:
    """Train a fresh adapter over the merged weights on a pool's bad or good answers, and keep it as
    it is after each of these steps. Goes on from a checkpoint; raises as the loop does."""
    model = patient.merged()

    def report(phase: str, step: int, *, n_steps: int, loss: float) -> None:
        if step in steps:
            model.weights_delta().save(watch.folder / place_of(step))
        watch.report(step, n_steps)

    loop = Loop(
        model=model, pools={pool.role: pool}, seed=patient.seed, folder=watch.folder,
        report=report, checkpointed=watch.kept, checkpoint_every_s=EVERY_S,
        overdue=watch.overdue, counted=watch.counted,
    )  # fmt: skip
    loop(_answers_of(pool.role, answer), config=config, reference=False)
    remove_checkpoints(watch.folder)
    return [State(step=step, delta=place_of(step) if step else None) for step in sorted(steps)]


def place_of(step: int) -> str:
    """The folder of the adapter after a step."""
    return f"step-{step}"


def _answers_of(role: str, answer: Literal["bad", "good"]) -> Losses:
    """Cross-entropy of these answers, in nats per answer token."""

    def losses(
        model: VisionLanguageModel, batch: Mapping[str, PoolBatch], _reference: Reference
    ) -> Mapping[str, Tensor]:
        return {TERM: nll(model, batch[role].answering(answer))}

    return losses
