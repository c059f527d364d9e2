"""What the harness adds to the bare loops: its stages beside the same arithmetic with nothing else.

Both sides have the same weights, batches and losses, and find prompts encoded and images projected.
Loading the model is on neither side.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import torch

from benchmark.api import LossMethod
from benchmark.core.errors import UserError
from benchmark.core.records import StepLog
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, Results
from benchmark.cost.timeline import Span, Timeline
from benchmark.data.pools import Pool
from benchmark.engines.priming import prime_images
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, Shared
from benchmark.speed.bare import generate_bare, train_bare
from benchmark.speed.figures import Overhead, spread
from benchmark.stages.answer import answer, engine_of
from benchmark.stages.artifact import Artifact
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import Run, resolve
from benchmark.stages.train import load_pools, train
from benchmark.training.loop import LOSSES

Pair = tuple[Span, Span]
Staged = TypeVar("Staged")
Bare = TypeVar("Bare")
QUIET = Reporter(quiet=True)


def overheads(request: RunRequest, *, repeats: int) -> tuple[list[Overhead], int]:
    """Of training and of generation, and the threads that both had. It is a process of its own that
    measures: there no worker is forked, so that both sides have one process. Raises `UserError` for
    a method that is no loss."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
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
        # The first turn is not counted: whoever begins it pays for memory that was never touched.
        # After it each side begins every other turn.
        turns = [
            bench.turn(Path(folder) / str(number), bare_first=number % 2 == 1)
            for number in range(repeats + 1)
        ]
    trained, generated = zip(*turns[1:], strict=True)
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
        assert last.total == loss, f"the bare loop is another training: {loss}, not {last.total}"
        generated, _, _ = self._both(
            lambda: self._answer(run, artifact),
            lambda: self._answer_bare(run, artifact),
            bare_first=bare_first,
        )
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

    def _answer(self, run: Run, artifact: Artifact) -> None:
        with self.timeline.doing("generate"):
            answer(run, artifact, self.samples, loaded=self.loaded, reporter=QUIET)

    def _answer_bare(self, run: Run, artifact: Artifact) -> None:
        engine = engine_of(run, artifact, self.loaded)
        generate_bare(
            engine.model,
            engine.plan(self.samples, batch_size=run.spec.batch_size),
            max_new_tokens=run.spec.max_new_tokens,
            timeline=self.timeline,
        )


def _overhead(stage: Literal["train", "generate"], pairs: Sequence[Pair]) -> Overhead:
    return Overhead(
        stage=stage,
        stage_s=spread([staged.own_s for staged, _ in pairs]),
        bare_s=spread([bare.own_s for _, bare in pairs]),
        share=spread([staged.own_s / bare.own_s - 1 for staged, bare in pairs]),
        core_share=spread([staged.own_core_s / bare.own_core_s - 1 for staged, bare in pairs]),
    )
