"""What a check says: it passed, or what was expected, what was seen and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["passed", "failed", "expected", "not_applicable", "blocked"]


class CheckFailed(Exception):
    """The method does not keep this part of the contract."""

    def __init__(self, *, expected: str, seen: str, remedy: str) -> None:
        super().__init__(seen)
        self.expected = expected
        self.seen = seen
        self.remedy = remedy


class NotApplicable(Exception):
    """There is nothing in the method that this check could look at, for the reason given."""


class Blocked(Exception):
    """Nothing can be said before another check, named here, passes."""

    def __init__(self, check: str) -> None:
        super().__init__(f"see `{check}`")
        self.check = check


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one check found of one method. Of `expected`, `seen` and `remedy` a check that passed
    has none; `reason` is why it was not applicable, blocked, or known to fail."""

    method: str
    check: str
    about: str
    status: Status
    seconds: float
    expected: str | None = None
    seen: str | None = None
    remedy: str | None = None
    reason: str | None = None

    @property
    def is_well(self) -> bool:
        """Whether a method may be published with it."""
        return self.status in ("passed", "expected", "not_applicable")
