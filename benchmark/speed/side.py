"""One side of the comparison in a process of its own, which does a round whenever it is told to."""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any, Literal

import torch

from benchmark.core.errors import RunFailed, UserError
from benchmark.cost.clock import device_unit
from benchmark.speed.memory import PeakMemory
from benchmark.speed.subject import head_share
from benchmark.speed.task import HowTo, Side, Task, Work
from benchmark.vlm.memory import is_out_of_memory
from benchmark.vlm.perception import Perceptions


@dataclass(frozen=True, kw_only=True)
class Round:
    """One training from the same weights; `step_s` are wall seconds, step by step. `core_s` is the
    processor time of all threads, None on a GPU."""

    work: Work
    total_s: float
    core_s: float | None
    step_s: list[float]
    resting_bytes: int
    """With one copy of the weights loaded."""
    peak_bytes: int | None
    n_threads: int
    n_parameters: int
    head_share: float
    keeps_reference: bool
    keeps_freed_memory: bool


class SideProcess:
    """A side that waits to be told. As a context it ends with the block."""

    def __init__(self, side: Side, task: Task) -> None:
        self.side = side
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(side, task, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> SideProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def round(self, *, steps: int) -> Round:
        """Have it take these steps. Raises `OutOfMemory` where it had too little or was killed, the
        `UserError` or `RunFailed` that stopped it, and a bug with the traceback it had there."""
        try:
            self._pipe.send(steps)
            done = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            raise self._ended() from None
        if isinstance(done, Problem):
            raise done.as_error(self.side)
        assert isinstance(done, Round)
        return done

    def _ended(self) -> RunFailed:
        """Of a process that is gone without a word."""
        code = self._process.exitcode
        if code is not None and code < 0:
            return OutOfMemory(
                self.side, f"was killed by {signal.Signals(-code).name}, as where memory is short"
            )
        return RunFailed(f"the process of '{self.side}' ended with exit code {code}")


class OutOfMemory(RunFailed):
    """A side had too little memory, as far as can be told; `why` goes on after its name."""

    def __init__(self, side: Side, why: str) -> None:
        super().__init__(f"'{side}' {why}; try a smaller --batch-size")
        self.why = why


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What stopped a side, in words: not every error of a library can be sent."""

    kind: Literal["user", "failed", "memory", "bug"]
    words: str

    @classmethod
    def of(cls, error: Exception) -> Problem:
        """On the side that it stopped."""
        if is_out_of_memory(error):
            return cls(kind="memory", words="ran out of memory")
        if isinstance(error, UserError):
            return cls(kind="user", words=str(error))
        if isinstance(error, RunFailed):
            return cls(kind="failed", words=str(error))
        return cls(kind="bug", words="".join(traceback.format_exception(error)))

    def as_error(self, side: Side) -> Exception:
        """For the process that asked."""
        if self.kind == "memory":
            return OutOfMemory(side, self.words)
        if self.kind == "user":
            return UserError(self.words)
        if self.kind == "failed":
            return RunFailed(self.words)
        return RuntimeError(f"in the process of '{side}':\n{self.words}")


def _work(side: Side, task: Task, pipe: Connection) -> None:
    """In the process: a round for every number of steps, until the other end is closed."""
    perceptions = Perceptions()
    while True:
        try:
            steps = pipe.recv()
        except EOFError:
            return
        try:
            how: HowTo = import_module(f"benchmark.speed.{side}")
            done = one_round(how, replace(task, steps=steps), perceptions=perceptions)
        except Exception as error:
            problem = Problem.of(error)
            pipe.send(problem)
            # Gives back all that it holds to the other side.
            if problem.kind == "memory":
                return
        else:
            pipe.send(done)


def one_round(how: HowTo, task: Task, *, perceptions: Perceptions) -> Round:
    """Load the weights anew and train; tokens are kept in `perceptions` from round to round."""
    model = how.load(task, perceptions)
    if task.n_threads is not None:
        torch.set_num_threads(task.n_threads)
    n_parameters = sum(parameter.numel() for parameter in model.hf.parameters())
    share, keeps_freed_memory = head_share(model), how.keeps_freed_memory(model, task)
    memory = PeakMemory(task.device)
    clock = _Clock(_waiting_for(task.device))
    work = how.train(model, task, clock)
    return Round(
        work=work,
        total_s=clock.moments[-1] - clock.moments[0],
        core_s=None if device_unit(task.device) == "gpu" else clock.core_s,
        step_s=[after - before for before, after in pairwise(clock.moments)],
        resting_bytes=memory.resting_bytes,
        peak_bytes=memory.peak_bytes,
        n_threads=torch.get_num_threads(),
        n_parameters=n_parameters,
        head_share=share,
        keeps_reference=how.KEEPS_REFERENCE,
        keeps_freed_memory=keeps_freed_memory,
    )


@dataclass
class _Clock:
    wait: Callable[[], Any]
    moments: list[float] = field(default_factory=list)
    core_began_s: float = 0.0
    core_s: float = 0.0

    def begin(self) -> None:
        self.core_began_s = time.process_time()
        self.step()

    def step(self) -> None:
        self.wait()
        self.moments.append(time.perf_counter())
        self.core_s = time.process_time() - self.core_began_s


def _waiting_for(device: str) -> Callable[[], Any]:
    """What waits until a GPU has done all that it was asked."""
    if device_unit(device) == "gpu":
        return lambda: torch.cuda.synchronize(device)
    return lambda: None
