"""Whose turn it is when several runs are to be made, and how each of them ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.core.errors import NotBegun, NotOffered, UserError
from benchmark.core.records import RunRecord
from benchmark.core.store import StorageError
from benchmark.cost.budget import Budget, unlimited
from benchmark.progress import Reporter
from benchmark.scoring.attacked import family_name
from benchmark.scoring.plan import HELD_OUT
from benchmark.scoring.rates import find
from benchmark.stages.resolve import RunRequest

Row = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one request ended: with a record, or with a mistake that a user can mend."""

    request: RunRequest
    record: RunRecord | None
    error: UserError | None
    wall_s: float


Ended = Callable[[Outcome], None]


def ignore(_outcome: Outcome) -> None:
    """Nobody wants to know."""


class Queue:
    """Requests that are left, and what became of the others.

    One of each row goes first; after that, since what a row takes is known by then, the longest of
    those that are left, so that no core waits for a long one at the end. Once the budget is spent,
    those that are left are not begun.
    """

    def __init__(
        self,
        requests: Sequence[RunRequest],
        *,
        reporter: Reporter,
        ended: Ended,
        budget: Budget | None = None,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self._all = list(requests)
        self._left = list(requests)
        self._tried: set[Row] = set()
        self._took_s: dict[Row, float] = {}
        self._reporter = reporter
        self._ended = ended
        self._budget = budget or unlimited()

    def place(self, request: RunRequest) -> int:
        """Where the request stands among all."""
        return next(at for at, one in enumerate(self._all) if one is request)

    def next(self, *, in_order: bool = False) -> RunRequest | None:
        """The request to work on next, or None; `in_order` as they were given."""
        if self._budget.is_spent:
            self._begin_no_more()
        if not self._left:
            return None
        new = [request for request in self._left if _row(request) not in self._tried]
        if in_order:
            chosen = self._left[0]
        elif new:
            chosen = new[0]
        else:
            chosen = max(self._left, key=lambda one: self._took_s.get(_row(one), 0.0))
        self._left = [request for request in self._left if request is not chosen]
        self._tried.add(_row(chosen))
        if not in_order:
            n_begun = len(self._all) - len(self._left)
            self._reporter.note(f"{_title(chosen)}: begun, {n_begun} of {len(self._all)}")
        return chosen

    def close(self, outcome: Outcome) -> None:
        """It has ended. Raises `StorageError` if no other run could store anything either."""
        if isinstance(outcome.error, StorageError):
            raise outcome.error
        row = _row(outcome.request)
        self._took_s[row] = max(outcome.wall_s, self._took_s.get(row, 0.0))
        if isinstance(outcome.error, NotOffered):
            # It would be so for every seed.
            self._left = [request for request in self._left if _row(request) != row]
        if len(self._all) > 1 and outcome.record is not None:
            self._reporter.note(
                f"{_title(outcome.request)}: {outcome.record.status} after "
                f"{outcome.wall_s:.0f} s{_headline(outcome.record)}"
            )
        self.outcomes.append(outcome)
        self._ended(outcome)

    def _begin_no_more(self) -> None:
        for request in self._left:
            error = NotBegun(self._budget.words())
            outcome = Outcome(request=request, record=None, error=error, wall_s=0.0)
            self.outcomes.append(outcome)
            self._ended(outcome)
        self._left = []


def _row(request: RunRequest) -> Row:
    return request.suite, request.model, request.method


def _title(request: RunRequest) -> str:
    return f"{request.method} on {request.model}, seed {request.seed}"


def _headline(record: RunRecord) -> str:
    """The figures that one looks for first, where the run was scored."""
    if record.suite is None or not record.scores:
        return ""
    plan = record.suite.plan
    worst = find(
        record.scores, "asr", judge=plan.judge_for("asr"), form=family_name("worst"), scope=HELD_OUT
    )
    told = {"worst attack success": worst}
    for metric, words in (("utility_retained", "utility kept"), ("over_refusal", "over-refusal")):
        told[words] = find(record.scores, metric, judge=plan.judge_for(metric), card="all")
    figures = [
        f"{words} {100 * score.value:.1f} %"
        for words, score in told.items()
        if score is not None and score.value is not None
    ]
    return f": {', '.join(figures)}" if figures else ""
