"""Compare one unlearning step, ours and the usual one: the same weights, samples and terms."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Literal

from benchmark.core import environment
from benchmark.core.errors import UserError
from benchmark.cost.spread import Spread, spread
from benchmark.models import load_card
from benchmark.speed.figures import SideFigures, StepFigures, TermFigures
from benchmark.speed.machine import measured_on
from benchmark.speed.side import OutOfMemory, Round, SideProcess
from benchmark.speed.subject import MOST_SPREAD, Sizes, save_subject
from benchmark.speed.task import Task, Term
from benchmark.stages.loaded import folder_of

MADE = "untrained miniature"
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class StepRequest:
    """What a user asked for: `sizes` of a model to be made, or the name of one that is there."""

    sizes: Sizes | None
    model: str | None
    terms: tuple[Term, ...]
    tuning: Literal["lora", "full"]
    precision: Literal["fp32", "bf16"]
    length_spread: float
    n_samples: int
    batch_size: int
    steps: int
    repeats: int
    device: str
    n_threads: int | None

    def __post_init__(self) -> None:
        """Both sides must see the same samples: whole epochs of whole batches."""
        if not 0 <= self.length_spread <= MOST_SPREAD:
            raise UserError(
                f"--length-spread {self.length_spread}: from 0 (all alike) to {MOST_SPREAD}"
            )
        if self.n_samples % self.batch_size:
            raise UserError(
                f"--samples {self.n_samples}: it must be a multiple of --batch-size "
                f"{self.batch_size}"
            )
        per_epoch = self.n_samples // self.batch_size
        if self.steps % per_epoch:
            raise UserError(
                f"--steps {self.steps}: it must be a multiple of {per_epoch}, the batches of an "
                "epoch, so that both sides see the same samples"
            )


def compare(request: StepRequest, *, say: Say) -> StepFigures:
    """Every term in turn, each side in a process of its own, round after round."""
    git = environment.git()
    with _checkpoint(request) as folder:
        task = Task(
            checkpoint=folder,
            term=request.terms[0],
            tuning=request.tuning,
            n_samples=request.n_samples,
            batch_size=request.batch_size,
            steps=request.steps,
            device=request.device,
            precision=request.precision,
            length_spread=request.length_spread,
            n_threads=request.n_threads,
        )
        rounds = {
            term: _rounds(replace(task, term=term), repeats=request.repeats, say=say)
            for term in request.terms
        }
    one = next(iter(rounds.values())).ours[0]
    sizes = request.sizes
    return StepFigures(
        model=request.model or MADE,
        sizes=None if sizes is None else dict(vars(sizes)),
        n_parameters=one.n_parameters,
        head_share=one.head_share,
        lengths=one.work.lengths,
        length_spread=request.length_spread,
        tuning=request.tuning,
        precision=request.precision,
        n_samples=request.n_samples,
        batch_size=request.batch_size,
        steps=request.steps,
        repeats=request.repeats,
        terms=[_term(term, taken) for term, taken in rounds.items()],
        git=git,
        packages=environment.packages(),
        system=measured_on(request.device, n_threads=one.n_threads),
    )


@contextmanager
def _checkpoint(request: StepRequest) -> Iterator[Path]:
    """Where the weights lie that both sides load."""
    if request.model is not None:
        yield folder_of(load_card(request.model))
        return
    assert request.sizes is not None, "a model is named or made"
    with tempfile.TemporaryDirectory(prefix="vlm-bench-speed-") as folder:
        save_subject(Path(folder), request.sizes)
        yield Path(folder)


@dataclass(kw_only=True)
class _Rounds:
    """Of one term, as they come. Where the neighbours run out of memory, ours goes on."""

    ours: list[Round] = field(default_factory=list)
    neighbours: list[Round] = field(default_factory=list)
    neighbours_ended: str | None = None

    def take(self, side: SideProcess, *, steps: int) -> None:
        """One more of a side; those of one that has ended are no figures."""
        if side.side == "ours":
            self.ours.append(side.round(steps=steps))
        elif self.neighbours_ended is None:
            try:
                self.neighbours.append(side.round(steps=steps))
            except OutOfMemory as error:
                self.neighbours, self.neighbours_ended = [], error.why

    @property
    def pairs(self) -> list[tuple[Round, Round]]:
        """Both sides' of every repeat, the warm-up not among them."""
        if self.neighbours_ended is not None:
            return []
        return list(zip(self.ours, self.neighbours, strict=True))[1:]


def _rounds(task: Task, *, repeats: int, say: Say) -> _Rounds:
    """Rounds of both sides in turns, each beginning every other one, so that what else the machine
    does falls on both. A step before them warms both up and is not counted."""
    rounds = _Rounds()
    with SideProcess("ours", task) as ours, SideProcess("neighbours", task) as neighbours:
        for side in (ours, neighbours):
            rounds.take(side, steps=1)
        for repeat in range(repeats):
            say(f"{task.term}: repeat {repeat + 1} of {repeats}")
            for side in (ours, neighbours) if repeat % 2 == 0 else (neighbours, ours):
                rounds.take(side, steps=task.steps)
    return rounds


def _term(term: Term, rounds: _Rounds) -> TermFigures:
    ours, pairs = _side(rounds.ours[1:]), rounds.pairs
    neighbours = _side([theirs for _, theirs in pairs]) if pairs else None
    if neighbours is not None:
        counted = [(one.n_samples, one.n_tokens, one.n_answer_tokens) for one in (ours, neighbours)]
        assert counted[0] == counted[1], f"the sides saw different samples: {counted}"
    above, total = (
        (None, None) if neighbours is None else (neighbours.above_bytes, neighbours.peak_bytes)
    )
    speed_ratios = [theirs.total_s / mine.total_s for mine, theirs in pairs]
    return TermFigures(
        term=term,
        ours=ours,
        neighbours=neighbours,
        neighbours_ended=rounds.neighbours_ended,
        speed_ratio=spread(speed_ratios) if speed_ratios else None,
        core_ratio=_core_ratio(pairs),
        memory_above_ratio=ratio(ours.above_bytes, above),
        memory_total_ratio=ratio(ours.peak_bytes, total),
    )


def _core_ratio(pairs: Sequence[tuple[Round, Round]]) -> Spread | None:
    known = [
        theirs.core_s / mine.core_s
        for mine, theirs in pairs
        if mine.core_s is not None and theirs.core_s is not None
    ]
    return spread(known) if known else None


def ratio(ours: int | None, neighbours: int | None) -> float | None:
    """Of two amounts; None where one is not known, or there is nothing to compare with."""
    if ours is None or neighbours is None or neighbours <= 0:
        return None
    return ours / neighbours


def _side(rounds: Sequence[Round]) -> SideFigures:
    work = rounds[0].work
    peaks = [one.peak_bytes for one in rounds if one.peak_bytes is not None]
    return SideFigures(
        tokens_per_s=spread([work.n_tokens / one.total_s for one in rounds]),
        samples_per_s=spread([work.n_samples / one.total_s for one in rounds]),
        step_s=spread([median(one.step_s) for one in rounds]),
        resting_bytes=round(median(one.resting_bytes for one in rounds)),
        peak_bytes=round(median(peaks)) if peaks else None,
        n_samples=work.n_samples,
        n_tokens=work.n_tokens,
        n_answer_tokens=work.n_answer_tokens,
        positions_per_token=work.n_positions / work.n_tokens,
        keeps_reference=rounds[0].keeps_reference,
        keeps_freed_memory=rounds[0].keeps_freed_memory,
    )
