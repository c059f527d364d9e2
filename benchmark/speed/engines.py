"""How fast engines answer the same requests, and whether they say the same, in turns.

Each round is another share of the suite's requests, images among them, that nobody has read or
seen before. The plain loop, our batches and vLLM take it one after the other, the order turning
from round to round: a machine that others work on is slow for seconds at a time. A round that is
not counted comes first, which pays for code and memory that was never touched.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import torch

from benchmark.core import environment
from benchmark.core.errors import MissingError, RunFailed
from benchmark.core.rows import BASE
from benchmark.core.samples import Sample
from benchmark.cost.clock import wait_for
from benchmark.cost.spread import spread
from benchmark.engines.engine import VLLM, Engine
from benchmark.engines.local import LocalEngine
from benchmark.engines.served import ServedWeights, with_former_names
from benchmark.engines.vllm_installed import InstalledVllm, installed_vllm, refusal
from benchmark.engines.vllm_offline import DTYPES, VllmEngine
from benchmark.runner import RunRequest
from benchmark.speed.figures import EngineFigures, EnginesFigures
from benchmark.speed.machine import measured_on
from benchmark.speed.plain import answer_plainly
from benchmark.stages.loaded import folder_of
from benchmark.stages.resolve import Run, resolve
from benchmark.stages.samples import evaluation_samples
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel

PLAIN, OURS = "plain, one at a time", "local, our batches"
Made = TypeVar("Made")
Say = Callable[[str], None]
Answering = Callable[[Sequence[Sample]], dict[str, str | None]]


@dataclass
class Side:
    """One way to answer, and what it took and said so far."""

    name: str
    answering: Answering
    start_s: float
    took_s: list[float] = field(default_factory=list)
    said: dict[str, str | None] = field(default_factory=dict)

    def take(self, samples: Sequence[Sample], *, device: str) -> None:
        """Answer a round on the clock."""
        began_s = time.perf_counter()
        said = self.answering(samples)
        wait_for(device)
        self.took_s.append(time.perf_counter() - began_s)
        self.said |= said


def compare_engines(request: RunRequest, *, rounds: int, say: Say) -> EnginesFigures:
    """All engines that are there on the untouched model; vLLM is left out with the reason where it
    is not installed or refuses the model."""
    git = environment.git()
    with tempfile.TemporaryDirectory(prefix="vlm-bench-speed-") as folder:
        run = resolve(replace(request, method=BASE, results=Path(folder)))
        samples = evaluation_samples(run.evaluation, images=run.images, limit=request.limit)
        shares = shares_of(samples, n=rounds + 1)
        with _sides(run, Path(folder), say=say) as (sides, without, version):
            take_turns(sides, shares, device=run.spec.device, say=say)
    counted = [sample for share in shares[1:] for sample in share]
    return EnginesFigures(
        model=run.spec.model,
        suite=run.spec.suite,
        precision=run.spec.precision,
        max_new_tokens=run.spec.max_new_tokens,
        n_samples=len(counted),
        n_with_images=sum(bool(sample.images) for sample in counted),
        rounds=rounds,
        batch_size=run.spec.batch_size,
        sides=[_figures(side, sides[0], shares) for side in sides],
        without=without,
        vllm_version=version,
        git=git,
        packages=environment.packages(),
        system=measured_on(run.spec.device, n_threads=torch.get_num_threads()),
    )


def shares_of(samples: Sequence[Sample], *, n: int) -> list[list[Sample]]:
    """N shares alike in kind and size, every sample in one of them at most. Raises `RunFailed`
    where there are fewer samples than shares."""
    drawn = list(samples)
    random.Random(0).shuffle(drawn)
    if len(drawn) < n:
        raise RunFailed(f"{len(drawn)} requests are too few for {n - 1} rounds and one before them")
    size = len(drawn) // n
    return [drawn[at * size : (at + 1) * size] for at in range(n)]


def take_turns(
    sides: Sequence[Side], shares: Sequence[Sequence[Sample]], *, device: str, say: Say
) -> None:
    """Every side answers every share; who is first turns."""
    for number, share in enumerate(shares):
        say(f"round {number} of {len(shares) - 1}" if number else "a round that is not counted")
        first = number % len(sides)
        for side in (*sides[first:], *sides[:first]):
            side.take(share, device=device)


@contextmanager
def _sides(
    run: Run, folder: Path, *, say: Say
) -> Iterator[tuple[list[Side], dict[str, str], str | None]]:
    """The plain loop, our engine, and vLLM where it is there, each with weights of its own."""
    plain, plain_s = _timed(lambda: _load(run))
    ours, ours_s = _timed(lambda: _load(run))
    n_new = run.spec.max_new_tokens
    local = LocalEngine(ours, max_new_tokens=n_new)
    sides = [
        Side(
            PLAIN, lambda asked: dict(answer_plainly(plain, asked, max_new_tokens=n_new)), plain_s
        ),
        Side(OURS, _by(local, batch_size=run.spec.batch_size), ours_s),
    ]
    try:
        vllm = _usable_vllm(run)
    except (MissingError, RunFailed) as error:
        yield sides, {VLLM: str(error)}, None
        return
    say("vLLM starts")
    engine, vllm_s = _timed(lambda: _started(run, ours, vllm, folder))
    try:
        by_vllm = _by(engine, batch_size=run.spec.batch_size)
        yield [*sides, Side(f"vLLM {vllm.version}", by_vllm, vllm_s)], {}, vllm.version
    finally:
        engine.close()


def _load(run: Run) -> VisionLanguageModel:
    return load_model(
        folder_of(run.model_card),
        name=run.spec.model,
        precision=run.spec.precision,
        device=run.spec.device,
    )


def _usable_vllm(run: Run) -> InstalledVllm:
    vllm = installed_vllm()
    checkpoint = folder_of(run.model_card)
    words = refusal(vllm, checkpoint, dtype=DTYPES[run.spec.precision])
    if words is not None:
        raise RunFailed(f"vLLM {vllm.version} refuses model '{run.spec.model}': {words}")
    return vllm


def _started(run: Run, model: VisionLanguageModel, vllm: InstalledVllm, folder: Path) -> VllmEngine:
    checkpoint = with_former_names(folder_of(run.model_card), to=folder / "base")
    engine = VllmEngine(
        model,
        ServedWeights(form="checkpoint", checkpoint=checkpoint),
        vllm=vllm,
        folder=folder,
        n_images=1,
        max_new_tokens=run.spec.max_new_tokens,
    )
    engine.prime([])
    return engine


def _by(engine: Engine, *, batch_size: int) -> Answering:
    """All that an engine does from the samples to the words."""

    def answering(samples: Sequence[Sample]) -> dict[str, str | None]:
        batches = engine.plan(samples, batch_size=batch_size)
        engine.prime(samples)
        return {one.sample_id: one.text for batch in engine.answers(batches) for one in batch}

    return answering


def _timed(make: Callable[[], Made]) -> tuple[Made, float]:
    began_s = time.perf_counter()
    made = make()
    return made, time.perf_counter() - began_s


def _figures(side: Side, plain: Side, shares: Sequence[Sequence[Sample]]) -> EngineFigures:
    """Of the rounds that count."""
    rates = [len(share) / s for share, s in zip(shares, side.took_s, strict=True)][1:]
    times = [theirs / mine for theirs, mine in zip(plain.took_s, side.took_s, strict=True)][1:]
    counted = [sample.id for share in shares[1:] for sample in share]
    return EngineFigures(
        name=side.name,
        answers_per_s=spread(rates),
        times=spread(times),
        n_identical=sum(side.said[name] == plain.said[name] for name in counted),
        start_s=side.start_s,
    )
