"""How runs ended, said to the user and put in the form that programs read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal

from benchmark.commands.output import say
from benchmark.core.errors import DataMissing, NotBegun, NotOffered
from benchmark.core.store import Results

if TYPE_CHECKING:
    from benchmark.core.found import RunEnded
    from benchmark.core.records import RunRecord, Status
    from benchmark.cost.budget import Budget
    from benchmark.progress import Reporter
    from benchmark.runner import RunRequest, Shared
    from benchmark.several import Outcome
    from benchmark.training.processes import Processes

FAILED, USER_ERROR, MISSING, OVER_BUDGET, INTERRUPTED = 1, 2, 3, 4, 130


def run_all(
    requests: Sequence[RunRequest],
    *,
    jobs: int | None = None,
    everything: bool = False,
    reporter: Reporter | None = None,
    budget: Budget | None = None,
    processes: Processes | None = None,
) -> tuple[list[Outcome], int]:
    """Run each, several at once where that helps; one that fails is recorded, said, and does not
    stop the others.

    Returns how each ended, and the exit code of the worst that happened. With `everything` a method
    that needs what its target or suite does not offer is left out, which is no failure.
    """
    from benchmark.several import run_several

    codes: set[int] = set()

    def ended(outcome: Outcome) -> None:
        codes.add(_said(outcome, everything=everything))

    outcomes = run_several(
        requests, jobs=jobs, reporter=reporter, shared=_shared(budget, processes), ended=ended
    )
    return outcomes, worst_of(codes)


def worst_of(codes: Collection[int]) -> int:
    """The exit code of the worst that happened; 0 where nothing did."""
    worst_first = (FAILED, USER_ERROR, MISSING, OVER_BUDGET)
    return next((code for code in worst_first if code in codes), 0)


def _shared(budget: Budget | None, processes: Processes | None) -> Shared:
    from benchmark.runner import Shared

    return Shared(budget) if processes is None else Shared(budget, processes=processes)


def records_of(outcomes: Sequence[Outcome]) -> list[RunRecord]:
    """The records there are."""
    return [outcome.record for outcome in outcomes if outcome.record is not None]


def facts_of(outcome: Outcome, *, everything: bool = False) -> RunEnded:
    """One run for programs."""
    from benchmark.core.found import Headline, RunEnded
    from benchmark.tables.one_run.build import headline

    request, record = outcome.request, outcome.record
    status: Status | Literal["refused", "left_out", "not_begun"] = "refused"
    if record is not None:
        status = record.status
    elif isinstance(outcome.error, NotBegun):
        status = "not_begun"
    elif everything and isinstance(outcome.error, NotOffered):
        status = "left_out"
    return RunEnded(
        method=record.spec.method if record else request.method,
        model=record.spec.model if record else request.model,
        suite=request.suite,
        seed=request.seed,
        limit=request.limit,
        status=status,
        failed_stage=record.failed_stage if record else None,
        error=str(outcome.error) if outcome.error else record.error if record else None,
        record=_place(request, record),
        figures=[Headline(title=t, score=s) for t, s in headline(record)] if record else [],
    )


def _place(request: RunRequest, record: RunRecord | None) -> str | None:
    """Where the record of a whole run lies."""
    if record is None or record.status != "done" or request.upto != "score":
        return None
    return str(Results(request.results).record_of(record.spec))


def _said(outcome: Outcome, *, everything: bool) -> int:
    """Say what went wrong, if anything did, and return its exit code."""
    request, record = outcome.request, outcome.record
    if isinstance(outcome.error, NotOffered):
        how = "left out: " if everything else "error: "
        say(f"{how}{request.method} on {request.model}: {outcome.error}")
        return 0 if everything else MISSING
    if isinstance(outcome.error, NotBegun):
        say(f"not begun: {request.method} on {request.model}, seed {request.seed}: {outcome.error}")
        return OVER_BUDGET
    if outcome.error is not None:
        say(f"error: {request.method} on {request.model}: {outcome.error}")
        return MISSING if isinstance(outcome.error, DataMissing) else USER_ERROR
    assert record is not None, "a run ends with a record or with a mistake"
    if record.status == "done":
        return 0
    where = f" while {record.failed_stage}" if record.failed_stage else ""
    name = f"{record.spec.method} on {record.spec.model}, seed {record.spec.seed}"
    say(f"error: {name} {record.status}{where}: {record.error}")
    return OVER_BUDGET if record.status == "over_budget" else FAILED
