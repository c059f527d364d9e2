"""What a user can mend, and what stopped a run: the only errors this project raises on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NoReturn


class UserError(Exception):
    """A mistake of the user's: one line, no traceback, exit code 2."""


class NothingRun(UserError):
    """What was typed leads nowhere, which showed at the first request: no run came of it, and none
    is put on record."""


class MissingError(UserError):
    """Something is not there (a data set, a package, weights): exit code 3 in `doctor`."""


class DataMissing(MissingError, NothingRun):
    """Data sets that a run needs are not here: exit code 3, and no run came of it."""


class NotOffered(MissingError):
    """A method needs what this suite or model does not have: a pool, a starting checkpoint. Its run
    is on record as failed; exit code 3 where it was named, none where all methods are run."""


class RunFailed(Exception):
    """A run that cannot go on: recorded with its reason, exit code 1."""


class OverBudget(RunFailed):
    """The limit of device-hours is reached: what was done is kept, and a larger one goes on from
    there."""


class NotBegun(UserError):
    """A run whose turn came when the limit of device-hours was reached."""


class NonFiniteLoss(RunFailed):
    """A named loss term became NaN or infinite."""

    def __init__(self, *, term: str, step: int, value: float) -> None:
        super().__init__(f"loss term '{term}' became {value} at step {step}")
        self.term = term
        self.step = step


def to_set(setting: str) -> str:
    """How a setting is typed, for the end of an error line."""
    return f'--set {setting} (with make: SET="{setting}")'


def without_folders(text: str) -> str:
    """The text with files by their names alone: folders of this machine are nobody's business, and
    records are published."""
    return re.sub(r"(?<![\w.:/])/(?:[^\s/:'\"]+/)+", "", text)


def first_line(error: BaseException) -> str:
    """What an error says, without the rest; its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error line: the nearest known name, or all of them when none is near."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(names) if names else 'none'}"


def unknown(kind: str, name: str, known: Iterable[str]) -> NoReturn:
    """Raise the one line for a name that does not resolve."""
    raise UserError(f"unknown {kind} '{name}': {nearest(name, known)}")
