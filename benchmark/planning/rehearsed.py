"""What a method asks of a model in one step, found by letting it take one on a two-layer model.

No method says beforehand which views its losses need. So it is watched: each phase with its
settings, the pools that it draws from, the answers that it pairs them with, what it asks of the
untouched model. The weights are random and nothing of the outcome is used.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from benchmark.api import Losses, MethodConfig, TrainingConfig
from benchmark.checks.rehearsal import Phase, short
from benchmark.checks.subject import Subject
from benchmark.checks.workbench import Workbench
from benchmark.core.errors import RunFailed
from benchmark.core.samples import Sample
from benchmark.training.batches import PoolBatch
from benchmark.training.reference import Reference
from benchmark.vlm.encoding import View

Answer = Literal["bad", "good", "other", "none"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A view of one pool. `other` answers are drawn from elsewhere, `repeats` of them for each
    sample; `forward_only` ones carry no gradient."""

    role: str
    answer: Answer
    repeats: int
    forward_only: bool


@dataclass(kw_only=True)
class PhaseAsked:
    """One phase: the settings that it was asked for with, the suite's pools behind each of its own,
    its views in one step, and those that the untouched model was asked about."""

    name: str
    config: TrainingConfig
    pools: Mapping[str, tuple[str, ...]]
    may_ask: bool
    """Was it said that losses may ask the untouched model?"""
    views: list[Asked] = field(default_factory=list)
    of_reference: set[tuple[str, Answer]] = field(default_factory=set)


def rehearse(plugin: str, config: MethodConfig) -> list[PhaseAsked]:
    """The phases of a method, in order; none for one that trains nothing.

    Raises `RunFailed` where it does not get through a step.
    """
    with tempfile.TemporaryDirectory(prefix="vlm-bench-plan-") as folder:
        watched = _Watched()
        subject = _Configured(plugin, Workbench(Path(folder), names=[plugin]), config)
        watched.roles = _roles(subject)
        try:
            subject.run(adapt=_one_step, wrap=watched.wrap)
        except Exception as error:
            raise RunFailed(
                f"method '{plugin}' does not get through a step on a small model, from which its "
                f"cost would be reckoned: {type(error).__name__}: {error}; `python -m benchmark "
                f"check method {plugin}` says more"
            ) from error
    return watched.phases


class _Configured(Subject):
    """The method with settings of the caller's."""

    def __init__(self, plugin: str, bench: Workbench, config: MethodConfig) -> None:
        super().__init__(plugin, bench)
        self._config = config

    @cached_property
    def config(self) -> MethodConfig:
        """As they were resolved for the run."""
        return self._config


def _one_step(config: TrainingConfig) -> TrainingConfig:
    return replace(short(config), steps=min(config.steps, 1))


def _roles(subject: Subject) -> dict[str, str]:
    """Which of the suite's pools each sample is of."""
    pools = subject.bench.pools(subject.method())
    return {sample.id: role for role, pool in pools.items() for sample in pool.samples}


class _Watched:
    """Notes what losses ask for."""

    def __init__(self) -> None:
        self.phases: list[PhaseAsked] = []
        self.roles: dict[str, str] = {}

    def wrap(self, phase: Phase, losses: Losses) -> Losses:
        """The phase's own losses, handed batches and a reference that are watched."""
        asked = PhaseAsked(
            name=phase.name,
            config=phase.config,
            may_ask=phase.reference,
            pools={
                name: tuple(dict.fromkeys(self.roles[s.id] for s in pool.samples))
                for name, pool in phase.pools.items()
            },
        )
        self.phases.append(asked)

        def watched(
            model: Any, batch: Mapping[str, PoolBatch], reference: Reference
        ) -> Mapping[str, Tensor]:
            seen = {role: _watched_batch(one, asked.views.append) for role, one in batch.items()}
            watching: Any = _WatchedReference(reference, batch, asked)
            return losses(model, seen, watching)

        return watched


def _watched_batch(batch: PoolBatch, note: Callable[[Asked], None]) -> PoolBatch:
    make = batch._view_of

    def view_of(
        samples: Sequence[Sample], answers: Sequence[str] | None, *, forward_only: bool = False
    ) -> View:
        note(
            Asked(
                role=batch.role,
                answer=_answer(samples, answers),
                repeats=max(1, len(samples) // len(batch.samples)),
                forward_only=forward_only,
            )
        )
        return make(samples, answers, forward_only=forward_only)

    return PoolBatch(role=batch.role, samples=batch.samples, view_of=view_of, rng=batch.rng)


def _answer(samples: Sequence[Sample], answers: Sequence[str] | None) -> Answer:
    if answers is None:
        return "none"
    if list(answers) == [sample.answers.good for sample in samples]:
        return "good"
    return "bad" if list(answers) == [sample.answers.bad for sample in samples] else "other"


class _WatchedReference:
    """The untouched model, and which of the batches it is asked about."""

    def __init__(
        self, reference: Reference, batch: Mapping[str, PoolBatch], asked: PhaseAsked
    ) -> None:
        self._reference = reference
        self._batch = batch
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._reference, name)
        return self._noting(found) if callable(found) else found

    def _noting(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*given: Any, **named: Any) -> Any:
            for view in (one for one in (*given, *named.values()) if isinstance(one, View)):
                ids = {sample.id for sample in view.samples}
                for role, batch in self._batch.items():
                    if ids <= {sample.id for sample in batch.samples}:
                        self._asked.of_reference.add((role, _answer(view.samples, view.answers)))
            return ask(*given, **named)

        return asked
