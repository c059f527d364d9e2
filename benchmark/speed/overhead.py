"""What the harness adds to the bare loops: its stages beside the same arithmetic with nothing else.

Both sides have the same weights, batches and losses, and find prompts encoded and images projected.
Loading the model and folding its adapter are on neither side. They must come to the same loss and
to the same answers.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Literal, TypeVar

import torch

from benchmark.api import LossMethod
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.records import Response, StepLog
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, Results
from benchmark.cost.timeline import Span, Timeline
from benchmark.data.pools import Pool
from benchmark.engines.local import LocalEngine
from benchmark.engines.priming import prime_images
from benchmark.engines.workers import die_with_parent
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, Shared
from benchmark.speed.bare import generate_bare, train_bare
from benchmark.speed.figures import Overhead, Spread, spread
from benchmark.stages.answer import Answered, answer, engine_of
from benchmark.stages.artifact import Artifact
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import Run, resolve
from benchmark.stages.train import load_pools, train
from benchmark.training.loop import LOSSES

Pair = tuple[Span, Span]
Staged = TypeVar("Staged")
Bare = TypeVar("Bare")
QUIET = Reporter(quiet=True)
# Of a repeat: in one the stage begins, in the other the bare loop.
TURNS = 2


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
        # Not counted: it pays for memory that was never touched.
        bench.turn(Path(folder) / "warm-up", bare_first=False)
        # Whoever begins a turn finds memory that nobody has touched since the model was loaded.
        turns = [
            bench.turn(Path(folder) / str(number), bare_first=number % 4 in (1, 2))
            for number in range(TURNS * repeats)
        ]
    trained, generated = zip(*turns, strict=True)
    found = [_overhead("train", trained), _overhead("generate", generated)]
    return found, torch.get_num_threads()


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

    def turn(self, folder: Path, *, bare_first: bool) -> tuple[Pair, Pair]:
        """Training and generation, each by its stage and bare, on an empty results folder."""
        run = replace(self.run, results=Results(folder))
        trained, artifact, loss = self._both(
            lambda: self._train(run), lambda: self._train_bare(run), bare_first=bare_first
        )
        last = JsonLines(artifact.folder / f"train{LOSSES}").read(StepLog)[-1]
        check_same_loss(last.total, loss)
        generated, answered, bare = self._both(
            lambda: self._answer(run, artifact),
            lambda: self._answer_bare(run, artifact),
            bare_first=bare_first,
        )
        check_same_answers(answered.responses, bare)
        self.loaded.drop()
        return trained, generated

    def _both(
        self, staged: Callable[[], Staged], bare: Callable[[], Bare], *, bare_first: bool
    ) -> tuple[Pair, Staged, Bare]:
        """Both sides in this order, their spans and what came out; each ends with its span."""
        if bare_first:
            of_bare, bare_span = bare(), self.timeline.spans[-1]
            of_stage, stage_span = staged(), self.timeline.spans[-1]
        else:
            of_stage, stage_span = staged(), self.timeline.spans[-1]
            of_bare, bare_span = bare(), self.timeline.spans[-1]
        return (stage_span, bare_span), of_stage, of_bare

    def _train(self, run: Run) -> Artifact:
        with self.timeline.doing("train"):
            return train(run, pools=self.pools, loaded=self.loaded, reporter=QUIET)

    def _train_bare(self, run: Run) -> float:
        model = self.loaded.fresh(run.method.starts_from)
        return train_bare(
            self.method, model, self.pools, seed=run.effective_seed, timeline=self.timeline
        )

    def _answer(self, run: Run, artifact: Artifact) -> Answered:
        self._loaded_anew(run, artifact)
        with self.timeline.doing("generate"):
            return answer(run, artifact, self.samples, loaded=self.loaded, reporter=QUIET)

    def _answer_bare(self, run: Run, artifact: Artifact) -> dict[str, str | None]:
        engine = self._loaded_anew(run, artifact)
        plan = engine.plan(self.samples, batch_size=run.spec.batch_size)
        return generate_bare(engine, plan, timeline=self.timeline)

    def _loaded_anew(self, run: Run, artifact: Artifact) -> LocalEngine:
        """Loaded and folded before the clock of either side: a model that has answered before does
        the same work more slowly, whichever side it is."""
        self.loaded.drop()
        return engine_of(run, artifact, self.loaded)


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


def _overhead(stage: Literal["train", "generate"], turns: Sequence[Pair]) -> Overhead:
    """Of each repeat's turns together, so that each side has begun as often as the other."""
    repeats = [turns[at : at + TURNS] for at in range(0, len(turns), TURNS)]
    stage_s = [fmean(staged.own_s for staged, _ in pairs) for pairs in repeats]
    bare_s = [fmean(bare.own_s for _, bare in pairs) for pairs in repeats]
    stage_core_s = [fmean(staged.own_core_s for staged, _ in pairs) for pairs in repeats]
    bare_core_s = [fmean(bare.own_core_s for _, bare in pairs) for pairs in repeats]
    return Overhead(
        stage=stage,
        stage_s=spread(stage_s),
        bare_s=spread(bare_s),
        share=_share(stage_s, bare_s),
        core_share=_share(stage_core_s, bare_core_s),
    )


def _share(stage_s: Sequence[float], bare_s: Sequence[float]) -> Spread:
    return spread([staged / bare - 1 for staged, bare in zip(stage_s, bare_s, strict=True)])
