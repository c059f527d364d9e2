"""What is done to a model after a method: the contract of a treatment, and what each is given.

A treatment changes how a finished model is held, trained or asked, and never the method's own
work. `benchmark/treatments/NAME.py` with `TREATMENT = ...` is one; its settings are a frozen
dataclass, and the row `relearn+examples=8` is the treatment under other ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

from benchmark.core.errors import RunFailed
from benchmark.core.method_config import MethodConfig, settings_type
from benchmark.core.roles import PoolModality, PoolRole
from benchmark.core.samples import Sample
from benchmark.data.pools import Pool
from benchmark.training.counting import Counted
from benchmark.vlm.model import VisionLanguageModel

TreatmentConfigT = TypeVar("TreatmentConfigT", bound=MethodConfig)
Asked = Literal["held_out", "to_forget"]


class NotPossible(RunFailed):
    """This machine, or this kind of method, cannot have the treatment: the reason in one line."""


class LoadPool(Protocol):
    """A training pool of the suite."""

    def __call__(self, role: PoolRole, modality: PoolModality) -> Pool: ...


class LoadMerged(Protocol):
    """The method's weights in a plain checkpoint, loaded anew, at the run's precision unless
    another is named; raises `NotPossible` for one that this machine cannot load."""

    def __call__(self, precision: str | None = None) -> VisionLanguageModel: ...


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What a treatment knows of the model: how it is held, what it may be taught, and with which
    seed. `to_forget` are the behaviours of the training pool that the suite asks about."""

    method: str
    precision: str
    seed: int
    has_adapter: bool
    pool: LoadPool
    merged: LoadMerged
    to_forget: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How a treatment that trains says where it is, and is told to stop."""

    folder: Path
    report: Callable[[int, int], None]
    """Steps done, of how many."""
    kept: Callable[[], None]
    overdue: Callable[[], bool]
    counted: Counted


@dataclass(frozen=True, kw_only=True)
class State:
    """A model to be asked. `held`: as the method left it, or merged into a plain checkpoint; at
    another `precision` than the run's; with what was trained since in `delta`, a folder below the
    treatment's own. Answers are drawn `n_draws` times at a `temperature`, greedy without one."""

    held: Literal["as_left", "merged"] = "merged"
    precision: str | None = None
    delta: str | None = None
    step: int | None = None
    temperature: float | None = None
    n_draws: int = 1


class Treatment(ABC, Generic[TreatmentConfigT]):
    """One thing that is done to a finished model. `asks` says which behaviours are asked after it:
    the held-out ones, or those to be forgotten, as persons always are. The settings' type is the
    class's parameter."""

    Config: ClassVar[type[MethodConfig]] = MethodConfig
    asks: ClassVar[Asked] = "held_out"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        found = settings_type(cls, MethodConfig)
        if found is not None:
            cls.Config = found

    def __init__(self, config: TreatmentConfigT) -> None:
        self.config = config

    def material(self, patient: Patient) -> Mapping[str, Pool]:
        """The samples that it uses, by name: part of its key. Raises `NotPossible` for too few."""
        return {}

    @abstractmethod
    def treat(self, patient: Patient, watch: Watch) -> Sequence[State]:
        """Do it, and say which models are to be asked. Raises `NotPossible` with the reason."""

    def asked(self, samples: Sequence[Sample], patient: Patient) -> list[Sample]:
        """The samples as they are asked, ids and behaviours unchanged; some may be left out."""
        return list(samples)

    def relearned(self, patient: Patient) -> tuple[str, ...]:
        """The behaviours that it teaches again."""
        return ()
