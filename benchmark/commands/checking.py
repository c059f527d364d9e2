"""`check`: does a plugin keep the contract?"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.completing import several_of
from benchmark.commands.options import read_rows
from benchmark.commands.output import JsonOption, report, show
from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.core.garbage import nothing_to_collect
from benchmark.core.paths import typed_path
from benchmark.core.rows import split_row

if TYPE_CHECKING:
    from benchmark.checks.outcome import Outcome

FAILED = 1
WORDS = {
    "passed": "ok",
    "failed": "FAILED",
    "expected": "expected",
    "not_applicable": "n/a",
    "blocked": "blocked",
}


class Checked(StrEnum):
    """What there are checks for."""

    METHOD = "method"
    ATTACK = "attack"


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("check", epilog="Example: check method textual_unlearning")(check)


def check(
    kind: Annotated[
        Checked, typer.Argument(help="What to check: method or attack.", metavar="KIND")
    ],
    name: Annotated[
        str,
        typer.Argument(
            help="A name from `list methods` or `list attacks`, a file, several with commas, or "
            "`all`.",
            autocompletion=several_of("method"),
        ),
    ],
    as_json: JsonOption = False,
    only: Annotated[
        list[str], typer.Option("--only", help="This check only; may be given several times.")
    ] = [],  # noqa: B006 (typer reads the default, nobody changes it)
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Of an attack: its paper's own pictures, to draw again."),
    ] = None,
) -> int:
    """Check that a method or an attack keeps the contract; exit code 1 if it does not.

    On random two-layer models and a few samples, in seconds; nothing is kept. `--against` checks
    instead that an attack draws what its paper published.
    """
    if against is not None:
        return _check_drawing(kind, name, against, only=only, as_json=as_json)
    names = read_rows(kind.value, name)
    # It complains at import that an optional kernel is not installed.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    found: list[Outcome] = []
    for outcome in _outcomes(kind, names, only):
        if not as_json:
            show(_as_text(outcome, is_first=not found or found[-1].method != outcome.method))
        found.append(outcome)
    report("check", found, partial(_sum, kind=kind), as_json=as_json)
    return 0 if all(outcome.is_well for outcome in found) else FAILED


def _check_drawing(
    kind: Checked, name: str, against: Path, *, only: Sequence[str], as_json: bool
) -> int:
    from benchmark.checks.redrawn import check_attack

    if kind is not Checked.ATTACK:
        raise UserError("--against is of attacks: check attack NAME --against FOLDER")
    if only:
        raise UserError("--against is a check of its own: leave --only out")
    registry.entry("attack", name)
    outcome = check_attack(name, typed_path(against))
    report("check", [outcome], lambda found: _as_text(found[0], is_first=True), as_json=as_json)
    return 0 if outcome.is_well else FAILED


def _outcomes(kind: Checked, names: Sequence[str], only: Sequence[str]) -> Iterator[Outcome]:
    with nothing_to_collect():
        from benchmark.checks.attacks import check_attack
        from benchmark.checks.contract import check_method
        from benchmark.checks.workbench import Workbench

    with tempfile.TemporaryDirectory(prefix="vlm-bench-check-") as folder:
        plugins = [split_row(name)[0] for name in names]
        bench = Workbench(Path(folder), names=plugins)
        for name in names:
            check_one = check_method if kind is Checked.METHOD else check_attack
            yield from check_one(name, bench, only=only)


def _as_text(outcome: Outcome, *, is_first: bool) -> str:
    head = [outcome.method] if is_first else []
    line = f"  {WORDS[outcome.status]:8}  {outcome.check:10}  {outcome.reason or outcome.about}"
    said = {"expected": outcome.expected, "seen": outcome.seen, "do": outcome.remedy}
    if outcome.status != "failed":
        said = {}
    return "\n".join(
        [*head, line, *(f"{'':12}{word + ':':10} {text}" for word, text in said.items())]
    )


def _sum(found: Sequence[Outcome], *, kind: Checked) -> str:
    counts = {status: sum(outcome.status == status for outcome in found) for status in WORDS}
    said = [f"{n} {status.replace('_', ' ')}" for status, n in counts.items() if n]
    n_methods = len({outcome.method for outcome in found})
    seconds = sum(outcome.seconds for outcome in found)
    checked = f"{n_methods} {kind.value}{'' if n_methods == 1 else 's'}"
    return f"{checked}, {seconds:.0f} s: {', '.join(said)}"
