"""Several runs, one after another or at once: the same figures to the last digit either way.

A miniature model keeps one core busy, not two. So what runs share is made first, on all cores, and
each run is then worked off by a process of its own, forked with all of it in memory.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

import torch

from benchmark import runner
from benchmark.core.environment import die_with_parent, usable_cores
from benchmark.core.errors import RunFailed, UserError
from benchmark.engines.engine import LOCAL
from benchmark.engines.workers import can_fork
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, Shared
from benchmark.stages.resolve import device_of
from benchmark.turns import Ended, Outcome, Queue, ignore

# For an interrupted worker to put on record that it was.
GRACE_S = 15.0


def run_several(
    requests: Sequence[RunRequest],
    *,
    jobs: int | None = None,
    reporter: Reporter | None = None,
    shared: Shared | None = None,
    ended: Ended = ignore,
) -> list[Outcome]:
    """Run all, at most `jobs` at once; None is one per usable core where that helps. One that
    fails does not stop the others; once a row turns out to need what its target or suite does not
    offer, its other seeds are left out. Outcomes come in the order of the requests.

    Raises `StorageError` when nothing can be stored any more, and `KeyboardInterrupt` once every
    worker has ended. Workers never outlive this process.
    """
    reporter, shared = reporter or Reporter(), shared or Shared()
    queue = Queue(requests, reporter=reporter, ended=ended, budget=shared.budget)
    n_jobs = _n_jobs(jobs, requests, reporter=reporter, shared=shared)
    if n_jobs > 1:
        _at_once(queue, n_jobs=n_jobs, reporter=reporter, shared=shared)
    else:
        while (request := queue.next(in_order=True)) is not None:
            queue.close(_one(request, reporter=reporter, shared=shared))
    return sorted(queue.outcomes, key=lambda outcome: queue.place(outcome.request))


def _one(request: RunRequest, *, reporter: Reporter, shared: Shared) -> Outcome:
    started = time.monotonic()
    record, problem = None, None
    try:
        record = runner.run(request, reporter=reporter, shared=shared)
    except UserError as error:
        problem = error
    return Outcome(request=request, record=record, error=problem, wall_s=time.monotonic() - started)


# -- at once ------------------------------------------------------------------------------------


def _n_jobs(
    asked: int | None, requests: Sequence[RunRequest], *, reporter: Reporter, shared: Shared
) -> int:
    """How many runs at once; on the way to more than one, what they share is made."""
    n_jobs = min(asked or usable_cores(), len(requests))
    if n_jobs < 2:
        return 1
    if shared.processes.n > 1:
        if asked is not None:
            reporter.note("one run after another: several processes share each of them")
        return 1
    if any(request.engine != LOCAL for request in requests):
        if asked is not None:
            reporter.note(f"one run after another: several at once need engine {LOCAL}")
        return 1
    on_target: dict[tuple[object, ...], dict[str, RunRequest]] = {}
    for request in requests:
        target = request.suite, request.model, request.device, request.part, request.limit
        on_target.setdefault(target, {}).setdefault(request.method, request)
    for of_rows in on_target.values():
        if not _ready_to_fork(list(of_rows.values()), reporter=reporter, shared=shared):
            if asked is not None:
                reporter.note("one run after another: several need a small model on a CPU")
            return 1
    return n_jobs


def _ready_to_fork(requests: Sequence[RunRequest], *, reporter: Reporter, shared: Shared) -> bool:
    """Make what runs on one target share, unless they cannot run in forked workers."""
    if device_of(requests[0].device) != "cpu":
        return False
    try:
        loaded = runner.prepare(requests, reporter=reporter, shared=shared)
    except (UserError, RunFailed) as error:
        # What goes wrong here goes wrong again in each run, which puts it on record.
        reporter.note(f"nothing can be shared on {requests[0].model}: {error}")
        return False
    can = can_fork(loaded.base())
    loaded.drop()
    return can


@dataclass(frozen=True)
class _Worker:
    request: RunRequest
    process: ForkProcess
    reader: Connection
    started: float

    @property
    def has_ended(self) -> bool:
        """Has it said how it ended, or ended without a word?"""
        return self.reader.poll() or not self.process.is_alive()

    def outcome(self) -> Outcome:
        """What it said; of one that was killed, that it was, which is on record then."""
        try:
            said: Outcome | None = self.reader.recv() if self.reader.poll() else None
        except EOFError:
            said = None
        self.process.join()
        self.reader.close()
        if said is not None:
            return replace(said, request=self.request)
        reason = _last_words(self.process.exitcode)
        return Outcome(
            request=self.request,
            record=runner.record_lost(self.request, reason),
            error=None,
            wall_s=time.monotonic() - self.started,
        )


def _last_words(code: int | None) -> str:
    killed = code is not None and code < 0
    how = f"was killed by signal {-code}" if killed and code else f"ended with exit code {code}"
    return f"its process {how}; what it had done is kept, and the same command goes on from there"


def _at_once(queue: Queue, *, n_jobs: int, reporter: Reporter, shared: Shared) -> None:
    reporter.note(f"{n_jobs} runs at once")
    workers: list[_Worker] = []
    try:
        while True:
            while len(workers) < n_jobs and (request := queue.next()) is not None:
                with interrupted_later():
                    workers.append(_fork(request, shared))
            if not workers:
                return
            wait([end for one in workers for end in (one.reader, one.process.sentinel)])
            for worker in [one for one in workers if one.has_ended]:
                workers.remove(worker)
                queue.close(worker.outcome())
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


def _fork(request: RunRequest, shared: Shared) -> _Worker:
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(request, shared, writer, os.getpid()))
    process.start()
    # The worker's is the only end to write to: when it dies, reading comes to an end.
    writer.close()
    return _Worker(request, process, reader, time.monotonic())


def _work(request: RunRequest, shared: Shared, writer: Connection, parent: int) -> None:
    """In the worker: do the run and say how it ended."""
    die_with_parent(parent)
    # Torch builds its pool anew in a forked process, when something first computes. Weights are
    # loaded by several threads, and a second one found half a pool ("Invalid thread pool!").
    torch.set_num_threads(torch.get_num_threads())
    # Ctrl-C reaches all processes of a terminal; the parent passes it on, once.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The tokenizer had threads before the fork, and they are gone.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        writer.send(_one(request, reporter=Reporter(quiet=True), shared=shared))
    except KeyboardInterrupt:
        writer.close()


def _end(workers: Sequence[_Worker]) -> None:
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
