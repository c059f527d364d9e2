"""The shared loop cut short, and what a check changes in it: settings, losses, an interruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from torch import nn

from benchmark.api import Losses, TrainingConfig
from benchmark.data.pools import Pool
from benchmark.training.loop import Loop

STEPS = 3
BATCH_SIZE = 4
LORA_RANK = 4
# Far enough in three steps that a change shows, near enough that nothing breaks.
LEARNING_RATE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One call of `minimise`, as the method made it."""

    name: str
    config: TrainingConfig
    modules: Mapping[str, nn.Module]
    pools: Mapping[str, Pool]
    reference: bool = True


Adapt = Callable[[TrainingConfig], TrainingConfig]
Wrap = Callable[[Phase, Losses], Losses]


def short(config: TrainingConfig) -> TrainingConfig:
    """The method's own settings, but a few small steps."""
    return replace(
        config,
        steps=min(config.steps, STEPS),
        batch_size=min(config.batch_size, BATCH_SIZE),
        micro_batch=None,
        lora_rank=min(config.lora_rank, LORA_RANK),
        learning_rate=LEARNING_RATE,
    )


def as_it_is(_phase: Phase, losses: Losses) -> Losses:
    """The method's own losses."""
    return losses


@dataclass(kw_only=True)
class Rehearsal(Loop):
    """The runner's loop; `asked` are the phases that the method wanted."""

    adapt: Adapt = short
    wrap: Wrap = as_it_is
    asked: list[Phase] = field(default_factory=list)

    def __call__(
        self,
        losses: Losses,
        *,
        config: TrainingConfig,
        phase: str = "train",
        modules: Mapping[str, nn.Module] | None = None,
        pools: Mapping[str, Pool] | None = None,
        reference: bool = True,
    ) -> None:
        """Train this phase, adapted."""
        wanted = Phase(
            name=phase,
            config=config,
            modules=modules or {},
            pools=self.pools if pools is None else pools,
            reference=reference,
        )
        self.asked.append(wanted)
        super().__call__(
            self.wrap(wanted, losses),
            config=self.adapt(config),
            phase=phase,
            modules=modules,
            pools=pools,
            reference=reference,
        )


class Killed(BaseException):
    """Stands for a SIGKILL: no plugin should catch it."""


class Interruption:
    """Kills a training in a phase once its step's checkpoint was written so many `times`: the last
    step's is written in the loop and again at the end of the phase."""

    def __init__(self, *, phase: str, step: int, times: int) -> None:
        self._target = (phase, step)
        self._left = times
        self._at: tuple[str, int] | None = None

    def report(self, phase: str, step: int, *, n_steps: int, loss: float) -> None:
        """Where the training is."""
        self._at = (phase, step)

    def checkpointed(self) -> None:
        """A checkpoint was written."""
        if self._at == self._target:
            self._left -= 1
            if self._left == 0:
                raise Killed


def run_through(phase: str, step: int, *, n_steps: int, loss: float) -> None:
    """Report nothing."""
