"""Several runs, one after another or at once: the same figures to the last digit either way.

A miniature model keeps one core busy, not two. So what runs share is made first, on all cores, and
each run is then worked off by a process of its own, forked with all of it in memory.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from benchmark import runner
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.processes import usable_cores
from benchmark.engines.engine import LOCAL
from benchmark.engines.workers import can_fork
from benchmark.forking import Over, at_once
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, Shared
from benchmark.stages.resolve import device_of
from benchmark.turns import Ended, Outcome, Queue, ignore


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


def _at_once(queue: Queue, *, n_jobs: int, reporter: Reporter, shared: Shared) -> None:
    reporter.note(f"{n_jobs} runs at once")
    at_once(
        queue.next,
        partial(_one, reporter=Reporter(quiet=True), shared=shared),
        lambda over: queue.close(_outcome(over)),
        n_jobs=n_jobs,
    )


def _outcome(over: Over[RunRequest, Outcome]) -> Outcome:
    """What the worker said; of one that was killed, that it was, which is on record then."""
    if over.result is not None:
        return replace(over.result, request=over.job)
    assert over.lost is not None
    return Outcome(
        request=over.job,
        record=runner.record_lost(over.job, over.lost),
        error=None,
        wall_s=over.wall_s,
    )
