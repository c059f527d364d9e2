"""What the harness adds to the bare loops: its stages beside the same arithmetic with nothing else.

Both sides have the same weights, batches and losses, and find prompts encoded and images projected.
Loading the model and folding its adapter are on neither side. They must come to the same loss and
to the same answers. They go in turns, step by step and batch by batch: a machine that others work
on is slow for seconds at a time. On a GPU both wait at the end of each turn, so that what a loop
gains by asking ahead is not seen.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import fsum
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, TypeVar

import torch

from benchmark.api import LossMethod
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.processes import die_with_parent
from benchmark.core.records import Response, StepLog
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, Results
from benchmark.cost.clock import wait_for
from benchmark.cost.spread import Spread, spread
from benchmark.cost.timeline import Span, Timeline
from benchmark.data.pools import Pool
from benchmark.engines.local import LocalEngine
from benchmark.engines.priming import prime_images
from benchmark.progress import Advance, Reporter
from benchmark.runner import RunRequest, Shared
from benchmark.speed.bare import BARE, Turns, generate_bare, train_bare
from benchmark.speed.figures import Overhead
from benchmark.stages.answer import answer, engine_of
from benchmark.stages.loaded import Loaded
from benchmark.stages.pools import load_pools
from benchmark.stages.resolve import Run, resolve
from benchmark.stages.train import train
from benchmark.training.losslog import LOSSES

Staged = TypeVar("Staged")
Bare = TypeVar("Bare")
BESIDE = "beside"
"""What the timeline calls all that is done of the bare loop while a stage runs."""
# Of a repeat: in one the stage is a turn ahead, in the other the bare loop.
ORDERS = (False, True)
# Asked in the run before the first, which pays for code and memory that was never touched.
WARMED_UP_ON = 64


def overheads(request: RunRequest, *, repeats: int) -> tuple[list[Overhead], int]:
    """Of training and of generation, and the threads that both had. It is a process of its own that
    measures: there no worker is forked, so that both sides have one process. Raises `UserError` for
    a method that is no loss."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        1, mp_context=spawn, initializer=die_with_parent, initargs=(os.getpid(),)
    ) as pool:
        return pool.submit(_overheads, request, repeats).result()


def check_is_loss(run: Run) -> LossMethod:
    """The run's method. Raises `UserError` where there is no bare loop to compare it with."""
    if not isinstance(run.method, LossMethod):
        raise UserError(
            f"method '{run.entry.name}' is not a loss alone; `speed run` takes one that is, such "
            "as textual_unlearning"
        )
    return run.method


def _overheads(request: RunRequest, repeats: int) -> tuple[list[Overhead], int]:
    with tempfile.TemporaryDirectory(prefix="vlm-bench-speed-") as folder:
        bench = _Bench.prepared(request, Path(folder))
        few = replace(bench, samples=bench.samples[:WARMED_UP_ON])
        few.both(Path(folder) / "warm-up", bare_ahead=False)
        done = [
            bench.both(Path(folder) / f"{number}-{bare_ahead}", bare_ahead=bare_ahead)
            for number in range(repeats)
            for bare_ahead in ORDERS
        ]
    trained, generated = zip(*done, strict=True)
    found = [_overhead("train", trained), _overhead("generate", generated)]
    return found, torch.get_num_threads()


@dataclass(frozen=True)
class Took:
    """Of a stage and of the bare loop beside it."""

    stage_s: float
    bare_s: float
    stage_core_s: float
    bare_core_s: float

    @classmethod
    def of(cls, spans: Sequence[Span], stage: str) -> Took:
        """What these spans say; loading a model is in neither."""
        staged = [span for span in spans if span.path[-1] == stage]
        bare = [span for span in spans if span.path[-1] == BARE]
        return cls(
            stage_s=fsum(span.own_s for span in staged),
            bare_s=fsum(span.own_s for span in bare),
            stage_core_s=fsum(span.own_core_s for span in staged),
            bare_core_s=fsum(span.own_core_s for span in bare),
        )


class Alternating(Reporter):
    """Says nothing; whenever the stage tells of a step or batch, the bare loop takes one as well.
    Whatever slows the machine for a while slows both."""

    def __init__(self, bare: Turns[Any], *, timeline: Timeline, device: str) -> None:
        super().__init__(quiet=True)
        self._bare, self._timeline, self._device = bare, timeline, device

    @contextmanager
    def bar(self, label: str, *, total: int, done: int = 0) -> Iterator[Advance]:
        """For what is done of the stage's own units."""
        yield lambda _done, _words, _total=None: self._take()

    def _take(self) -> None:
        # What the stage has asked of a GPU is the stage's.
        wait_for(self._device)
        with self._timeline.doing(BESIDE):
            self._bare.take()


@dataclass(frozen=True, kw_only=True)
class _Bench:
    """What both sides share: data that is read, seen and encoded already."""

    run: Run
    method: LossMethod
    loaded: Loaded
    timeline: Timeline
    pools: Mapping[str, Pool]
    samples: Sequence[Sample]

    @classmethod
    def prepared(cls, request: RunRequest, folder: Path) -> _Bench:
        run, shared, timeline = resolve(replace(request, results=folder)), Shared(), Timeline()
        bench = cls(
            run=run,
            method=check_is_loss(run),
            loaded=Loaded(
                run.model_card, precision=run.spec.precision, device=run.spec.device,
                perceptions=shared.perceptions, timeline=timeline,
            ),
            timeline=timeline,
            pools=load_pools(run, shared.pools),
            samples=shared.samples(run),
        )  # fmt: skip
        base = bench.loaded.base()
        for samples in (bench.samples, *(pool.samples for pool in bench.pools.values())):
            base.encoder.prompts(samples)
            prime_images(base, samples)
        return bench

    def both(self, folder: Path, *, bare_ahead: bool) -> tuple[Took, Took]:
        """Training and generation, each by its stage and bare in turns, on an empty results
        folder."""
        run = replace(self.run, results=Results(folder))
        artifact, loss, trained = self._beside(
            "train",
            lambda reporter: train(run, pools=self.pools, loaded=self.loaded, reporter=reporter),
            self._train_bare(),
            bare_ahead=bare_ahead,
        )
        last = JsonLines(artifact.folder / f"train{LOSSES}").read(StepLog)[-1]
        check_same_loss(last.total, loss)
        engine = engine_of(run, artifact, self.loaded)
        answered, said, generated = self._beside(
            "generate",
            lambda reporter: answer(
                run, artifact, self.samples, loaded=self.loaded, reporter=reporter
            ),
            self._generate_bare(engine),
            bare_ahead=bare_ahead,
        )
        check_same_answers(answered.responses, said)
        self.loaded.drop()
        return trained, generated

    def _beside(
        self,
        stage: str,
        staged: Callable[[Reporter], Staged],
        bare: Turns[Bare],
        *,
        bare_ahead: bool,
    ) -> tuple[Staged, Bare, Took]:
        """What comes out of the stage and of the bare loop, and what they took."""
        n_before = len(self.timeline.spans)
        if bare_ahead:
            bare.take()
        reporter = Alternating(bare, timeline=self.timeline, device=self.run.spec.device)
        with self.timeline.doing(stage):
            of_stage = staged(reporter)
            wait_for(self.run.spec.device)
        of_bare = bare.rest()
        return of_stage, of_bare, Took.of(self.timeline.spans[n_before:], stage)

    def _train_bare(self) -> Turns[float]:
        model = self.loaded.fresh(self.run.method.starts_from)
        return train_bare(
            self.method, model, self.pools, seed=self.run.effective_seed, timeline=self.timeline
        )

    def _generate_bare(self, engine: LocalEngine) -> Turns[dict[str, str | None]]:
        plan = engine.plan(self.samples, batch_size=self.run.spec.batch_size)
        return generate_bare(engine, plan, timeline=self.timeline)


def check_same_loss(stage: float, bare: float) -> None:
    """Raise `RunFailed` where the bare loop is another training than the stage."""
    if stage != bare:
        raise RunFailed(
            f"the bare loop is another training than the stage: its last loss is {bare}, the "
            f"stage's {stage}; nothing can be said of the overhead"
        )


def check_same_answers(stage: Mapping[str, Response], bare: Mapping[str, str | None]) -> None:
    """Raise `RunFailed` where bare generation says anything else than the engine."""
    said = {name: response.text for name, response in stage.items()}
    other = sorted(name for name in said.keys() | bare.keys() if said.get(name) != bare.get(name))
    if other:
        raise RunFailed(
            f"bare generation answers otherwise than the engine in {len(other)} of {len(said)} "
            f"samples, '{other[0]}' the first; nothing can be said of the overhead"
        )


def _overhead(stage: Literal["train", "generate"], done: Sequence[Took]) -> Overhead:
    """Of each repeat's two orders together, so that each side was ahead as often as the other."""
    repeats = [done[at : at + len(ORDERS)] for at in range(0, len(done), len(ORDERS))]
    stage_s = [fmean(took.stage_s for took in orders) for orders in repeats]
    bare_s = [fmean(took.bare_s for took in orders) for orders in repeats]
    stage_core_s = [fmean(took.stage_core_s for took in orders) for orders in repeats]
    bare_core_s = [fmean(took.bare_core_s for took in orders) for orders in repeats]
    return Overhead(
        stage=stage,
        stage_s=spread(stage_s),
        bare_s=spread(bare_s),
        share=_share(stage_s, bare_s),
        core_share=_share(stage_core_s, bare_core_s),
    )


def _share(stage_s: Sequence[float], bare_s: Sequence[float]) -> Spread:
    return spread([staged / bare - 1 for staged, bare in zip(stage_s, bare_s, strict=True)])
