"""Several methods, each under every treatment, one after another or at once: the same figures.

A treated stage and its answers are found again by content and locked while they are made, so that
what several runs have in common (a model that no seed changed) is made by the first of them.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from benchmark.core.durability_records import DurabilityRecord
from benchmark.core.errors import RunFailed, UserError, first_line
from benchmark.core.processes import usable_cores
from benchmark.core.rows import BASE
from benchmark.core.store import StorageError
from benchmark.data.pools import Pools
from benchmark.durability.run import Endurance
from benchmark.engines.workers import can_fork
from benchmark.forking import Over, at_once
from benchmark.progress import Reporter
from benchmark.runner import git_at_first
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import RunRequest, device_of, resolve
from benchmark.stages.treat import Chosen
from benchmark.vlm.perception import Perceptions


@dataclass(frozen=True, kw_only=True)
class Endured:
    """How one method with one seed ended: the records of its treatments, as many as were made, and
    why there are not more: a mistake that a user can mend, or what stopped the run."""

    request: RunRequest
    records: list[DurabilityRecord]
    error: UserError | None = None
    failed: str | None = None


Ended = Callable[[Endured], None]


def endure(
    requests: Sequence[RunRequest],
    chosen: Sequence[Chosen],
    *,
    jobs: int | None,
    reporter: Reporter,
    ended: Ended,
) -> list[Endured]:
    """Treat all, at most `jobs` at once; None is one per usable core where that helps. One that
    fails does not stop the others. They come back in the order of the requests.

    Raises `StorageError` when nothing can be stored any more, and `KeyboardInterrupt` once every
    worker has ended.
    """
    # What all of them run, whatever is committed or edited meanwhile.
    git_at_first()
    found: dict[int, Endured] = {}

    def close(place: int, one: Endured) -> None:
        if isinstance(one.error, StorageError):
            raise one.error
        found[place] = one
        ended(one)

    n_jobs = _n_jobs(jobs, requests, reporter=reporter)
    pools = Pools()
    if n_jobs > 1:
        _at_once(requests, chosen, close, n_jobs=n_jobs, reporter=reporter)
    else:
        for place, request in enumerate(requests):
            close(place, _one(request, chosen, pools=pools, reporter=reporter))
    return [found[place] for place in sorted(found)]


def _one(
    request: RunRequest, chosen: Sequence[Chosen], *, pools: Pools, reporter: Reporter
) -> Endured:
    records: list[DurabilityRecord] = []
    try:
        endurance = Endurance(request, pools=pools, reporter=reporter)
        for one in chosen:
            records.append(endurance.under(one))
    except UserError as error:
        return Endured(request=request, records=records, error=error)
    except RunFailed as error:
        # Its words alone: not every exception comes whole out of another process.
        return Endured(request=request, records=records, failed=str(error))
    except Exception as error:
        # A plugin may raise anything: its author gets the traceback, the others go on.
        traceback.print_exc(file=sys.stderr)
        return Endured(request=request, records=records, failed=first_line(error))
    return Endured(request=request, records=records)


# -- at once ------------------------------------------------------------------------------------


def _n_jobs(asked: int | None, requests: Sequence[RunRequest], *, reporter: Reporter) -> int:
    n_jobs = min(asked or usable_cores(), len(requests))
    if n_jobs < 2:
        return 1
    if not _can_fork(requests[0]):
        if asked is not None:
            reporter.note("one run after another: several need a small model on a CPU")
        return 1
    return n_jobs


def _can_fork(request: RunRequest) -> bool:
    if device_of(request.device) != "cpu":
        return False
    try:
        run = resolve(replace(request, method=BASE, overrides={}, seed=0))
        loaded = Loaded(
            run.model_card, precision=run.spec.precision, device=run.spec.device,
            perceptions=Perceptions(), own_code=request.trust_remote_code,
        )  # fmt: skip
        can = can_fork(loaded.base())
    except (UserError, RunFailed):
        # What goes wrong here goes wrong again in each run, which says so.
        return False
    loaded.drop()
    return can


def _at_once(
    requests: Sequence[RunRequest],
    chosen: Sequence[Chosen],
    close: Callable[[int, Endured], None],
    *,
    n_jobs: int,
    reporter: Reporter,
) -> None:
    reporter.note(f"{n_jobs} runs at once")
    # Seed by seed: other seeds of a model that none changes find there what the first has made.
    left = sorted(range(len(requests)), key=lambda place: requests[place].seed)
    left.reverse()

    def begun() -> int | None:
        if not left:
            return None
        place = left.pop()
        n_begun = len(requests) - len(left)
        reporter.note(f"{_title(requests[place])}: begun, {n_begun} of {len(requests)}")
        return place

    def over(one: Over[int, Endured]) -> None:
        request = requests[one.job]
        said = one.result or Endured(request=request, records=[], failed=one.lost)
        how = "ended" if said.error or said.failed else "done"
        reporter.note(f"{_title(request)}: {how} after {one.wall_s:.0f} s")
        close(one.job, said)

    quiet = partial(_one, chosen=chosen, pools=Pools(), reporter=Reporter(quiet=True))
    at_once(begun, lambda place: quiet(requests[place]), over, n_jobs=n_jobs)


def _title(request: RunRequest) -> str:
    return f"{request.method} on {request.model}, seed {request.seed}"
