"""One side of the comparison in a process of its own, which does a round whenever it is told to."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmark.core.errors import RunFailed
from benchmark.cost.clock import device_unit
from benchmark.speed.memory import PeakMemory
from benchmark.speed.subject import head_share
from benchmark.speed.task import HowTo, Side, Task, Work
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
    peak_bytes: int
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
        """Have it take these steps. Raises `RunFailed` where the process ends instead."""
        try:
            self._pipe.send(steps)
            done = self._pipe.recv()
        except (EOFError, BrokenPipeError):
            self._process.join()
            raise RunFailed(
                f"the process of '{self.side}' ended with exit code {self._process.exitcode}; "
                "where nothing above says why, it had too little memory: try a smaller --batch-size"
            ) from None
        assert isinstance(done, Round)
        return done


def _work(side: Side, task: Task, pipe: Connection) -> None:
    """In the process: a round for every number of steps, until the other end is closed."""
    how: HowTo = import_module(f"benchmark.speed.{side}")
    perceptions = Perceptions()
    while True:
        try:
            steps = pipe.recv()
        except EOFError:
            return
        pipe.send(one_round(how, replace(task, steps=steps), perceptions=perceptions))


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
