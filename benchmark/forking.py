"""Jobs in processes forked from this one, each with all of it in memory; none outlives it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Generic, TypeVar

import torch

from benchmark.core.processes import die_with_parent

# For an interrupted worker to put on record that it was.
GRACE_S = 15.0

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, kw_only=True)
class Over(Generic[JobT, ResultT]):
    """A job whose process has ended: what came of it, or how the process ended without a word."""

    job: JobT
    result: ResultT | None
    lost: str | None
    wall_s: float


def at_once(
    next_job: Callable[[], JobT | None],
    work: Callable[[JobT], ResultT],
    over: Callable[[Over[JobT, ResultT]], None],
    *,
    n_jobs: int,
) -> None:
    """Work off all that `next_job` gives, at most `n_jobs` at once; `over` hears of each as it
    ends, one after the other. What either raises ends it all, and every worker with it."""
    workers: list[_Worker[JobT, ResultT]] = []
    try:
        while True:
            while len(workers) < n_jobs and (job := next_job()) is not None:
                with interrupted_later():
                    workers.append(_fork(job, work))
            if not workers:
                return
            wait([end for one in workers for end in (one.reader, one.process.sentinel)])
            for worker in [one for one in workers if one.has_ended]:
                workers.remove(worker)
                over(worker.over())
    finally:
        _end(workers)


@contextmanager
def interrupted_later() -> Iterator[None]:
    """Ctrl-C waits until the block is done. Hooks of libraries run at a fork, and what is raised in
    one of them is swallowed: the wish to stop would be lost, and the new worker not be known."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    wishes: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: wishes.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if wishes:
        raise KeyboardInterrupt


@dataclass(frozen=True)
class _Worker(Generic[JobT, ResultT]):
    job: JobT
    process: ForkProcess
    reader: Connection
    started: float

    @property
    def has_ended(self) -> bool:
        """Has it said what came of it, or ended without a word?"""
        return self.reader.poll() or not self.process.is_alive()

    def over(self) -> Over[JobT, ResultT]:
        """What it said; of one that was killed, that it was."""
        try:
            said: ResultT | None = self.reader.recv() if self.reader.poll() else None
        except EOFError:
            said = None
        self.process.join()
        self.reader.close()
        lost = _last_words(self.process.exitcode) if said is None else None
        wall_s = time.monotonic() - self.started
        return Over(job=self.job, result=said, lost=lost, wall_s=wall_s)


def _last_words(code: int | None) -> str:
    killed = code is not None and code < 0
    how = f"was killed by signal {-code}" if killed and code else f"ended with exit code {code}"
    return f"its process {how}; what it had done is kept, and the same command goes on from there"


def _fork(job: JobT, work: Callable[[JobT], ResultT]) -> _Worker[JobT, ResultT]:
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, work, writer, os.getpid()))
    process.start()
    # The worker's is the only end to write to: when it dies, reading comes to an end.
    writer.close()
    return _Worker(job, process, reader, time.monotonic())


def _work(job: JobT, work: Callable[[JobT], ResultT], writer: Connection, parent: int) -> None:
    """In the worker: do the job and say what came of it."""
    die_with_parent(parent)
    # Torch builds its pool anew in a forked process, when something first computes. Weights are
    # loaded by several threads, and a second one found half a pool ("Invalid thread pool!").
    torch.set_num_threads(torch.get_num_threads())
    # Ctrl-C reaches all processes of a terminal; the parent passes it on, once.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The tokenizer had threads before the fork, and they are gone.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        writer.send(work(job))
    except KeyboardInterrupt:
        writer.close()


def _end(workers: Sequence[_Worker[JobT, ResultT]]) -> None:
    """Interrupt those that still work, and wait until they are gone."""
    try:
        for worker in workers:
            worker.process.terminate()
        until = time.monotonic() + GRACE_S
        for worker in workers:
            worker.process.join(max(0.0, until - time.monotonic()))
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()
