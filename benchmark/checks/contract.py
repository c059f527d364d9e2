"""The checks of a method by name, and what their outcomes mean beside its declared exceptions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from benchmark.checks import declared, kept, terms, trained
from benchmark.checks.outcome import Blocked, CheckFailed, NotApplicable, Outcome, Status
from benchmark.checks.subject import Subject
from benchmark.checks.workbench import Workbench
from benchmark.core.errors import nearest, unknown
from benchmark.core.plugin_modules import deepest_line


@dataclass(frozen=True, kw_only=True)
class Check:
    """One part of the contract. `run` returns for a method that keeps it and raises otherwise."""

    name: str
    about: str
    run: Callable[[Subject], None]


EXCEPTIONS = "exceptions"
ABOUT_EXCEPTIONS = "Every exception that the method declares names a check and gives a reason."
CHECKS = (
    Check(
        name="imports", run=declared.imports,
        about="It imports without a GPU and without optional packages, and does no work.",
    ),
    Check(
        name="source", run=declared.source,
        about="Its docstring names the source and what differs from it.",
    ),
    Check(
        name="config", run=declared.config,
        about="Its settings are frozen, complete, strict and the same after a round trip.",
    ),
    Check(
        name="runs", run=trained.runs,
        about="It runs through a few steps on small pools and a random two-layer model.",
    ),
    Check(
        name="terms", run=terms.terms,
        about="Every loss term is finite and carries a gradient to what is trained.",
    ),
    Check(
        name="roles", run=trained.roles,
        about="Nothing changes but the roles that it declares.",
    ),
    Check(
        name="zero", run=trained.zero,
        about="With no steps, or all weights at zero, it is the untouched model to the last bit.",
    ),
    Check(
        name="seeded", run=trained.seeded,
        about="The same seed makes the same artifact.",
    ),
    Check(
        name="artifact", run=kept.artifact,
        about="Its artifact answers the same when it is reloaded, and refuses another base.",
    ),
    Check(
        name="served", run=kept.served,
        about="Its hooks say who serves them and answer the same from reloaded state.",
    ),
    Check(
        name="clean", run=kept.clean,
        about="It leaves no hook, switch or training mode behind.",
    ),
    Check(
        name="nan", run=trained.nan,
        about="A NaN in a loss term stops it with the term's name.",
    ),
    Check(
        name="blind", run=kept.blind,
        about="It sees the training pools that it declares and nothing of the evaluation.",
    ),
    Check(
        name="resumes", run=trained.resumes,
        about="Killed in the middle or between phases, it ends in the same weights.",
    ),
)  # fmt: skip
NAMES = tuple(check.name for check in CHECKS)


def check_method(name: str, bench: Workbench, *, only: Sequence[str] = ()) -> Iterator[Outcome]:
    """One outcome after the other, of all checks or of those named.

    Raises `UserError` for a check or a method that does not exist.
    """
    for wanted in only:
        if wanted not in (*NAMES, EXCEPTIONS):
            unknown("check", wanted, (*NAMES, EXCEPTIONS))
    subject = Subject(name, bench)
    for check in CHECKS:
        if not only or check.name in only:
            yield _outcome(check, subject)
    if not only or EXCEPTIONS in only:
        yield _of_exceptions(subject)


def _outcome(check: Check, subject: Subject) -> Outcome:
    started = time.monotonic()
    known = _exceptions(subject).get(check.name)

    def outcome(status: Status, *, reason: str | None = None, **said: str) -> Outcome:
        return Outcome(
            method=subject.name, check=check.name, about=check.about, status=status,
            seconds=time.monotonic() - started, reason=reason, **said,
        )  # fmt: skip

    try:
        check.run(subject)
    except Blocked as blocked:
        return outcome("blocked", reason=str(blocked))
    except NotApplicable as why:
        if known is None:
            return outcome("not_applicable", reason=str(why))
        seen = f"it does not apply: {why}"
    except (Exception, SystemExit) as error:
        failure = _failure(error, check, subject)
        if known is not None:
            return outcome("expected", reason=known, expected=failure.expected, seen=failure.seen)
        return outcome(
            "failed", expected=failure.expected, seen=failure.seen, remedy=failure.remedy
        )
    else:
        if known is None:
            return outcome("passed")
        seen = "it passes"
    return outcome(
        "failed",
        expected=f"`{check.name}` fails, as exceptions['{check.name}'] says: {known}",
        seen=seen,
        remedy=f"take '{check.name}' out of exceptions",
    )


def _failure(error: BaseException, check: Check, subject: Subject) -> CheckFailed:
    if isinstance(error, CheckFailed):
        return error
    where = deepest_line(error, subject.entry.path)
    return CheckFailed(
        expected="no exception",
        seen=f"{type(error).__name__}: {error} ({where})",
        remedy=f'mend it; make check METHOD="{subject.name}" ONLY={check.name} repeats this check',
    )


def _exceptions(subject: Subject) -> dict[str, str]:
    try:
        return dict(subject.method_type.exceptions)
    except Blocked:
        return {}


def _of_exceptions(subject: Subject) -> Outcome:
    found = _exceptions(subject)
    strange = [
        f"'{name}' is no check, {nearest(name, NAMES)}" for name in found if name not in NAMES
    ]
    strange += [f"'{name}' has no reason" for name, reason in found.items() if not reason.strip()]
    about = Outcome(
        method=subject.name, check=EXCEPTIONS, about=ABOUT_EXCEPTIONS, status="passed", seconds=0.0
    )
    if not found:
        return replace(about, status="not_applicable", reason="it declares none")
    if not strange:
        return about
    return replace(
        about, status="failed", expected="names of checks, each with a reason",
        seen="; ".join(strange), remedy=f"the checks are {', '.join(NAMES)}",
    )  # fmt: skip
