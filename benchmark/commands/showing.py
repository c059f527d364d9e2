"""`show` and `compare`: what a run did, and on which prompts two runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from benchmark.commands.completing import one_of
from benchmark.commands.options import (
    DEFAULT_SUITE,
    OneModelOption,
    ResultsOption,
    SuiteOption,
    read_model,
    results_at,
)
from benchmark.commands.output import JsonOption, drawn, report, say
from benchmark.core.errors import UserError

if TYPE_CHECKING:
    from benchmark.core.store import Results
    from benchmark.tables.finding import Row
    from benchmark.tables.runs import LoadedRun

RowArgument = Annotated[
    str,
    typer.Argument(
        help="A record's JSON file, or a row: yours, else the published one.",
        autocompletion=one_of("method"),
    ),
]
FlipsOption = Annotated[
    bool, typer.Option("--flips", help="List every prompt whose verdict changed.")
]
AnswersOption = Annotated[
    bool,
    typer.Option("--answers", help="With --flips: what was said, where it was said here."),
]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="Which seed of the row.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Of the runs that were asked the first N only.")
]
ScopeOption = Annotated[
    Literal["held_out", "in_scope", "unseen"],
    typer.Option("--scope", help="Which attacked behaviours are counted."),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("show", epilog="Example: show textual_unlearning --flips")(show_run)
    app.command("compare", epilog="Example: compare textual_unlearning npo --scope unseen")(compare)


def show_run(
    run: RowArgument,
    seed: SeedOption = None,
    limit: LimitOption = None,
    flips: FlipsOption = False,
    answers: AnswersOption = False,
    scope: ScopeOption = "held_out",
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Show one run: what it was, its figures, and what it changed beside the untouched model."""
    from benchmark.tables.one_run.build import run_shown
    from benchmark.tables.one_run.terminal import print_run

    where = results_at(results)
    shown = run_of(run, where, model=model, suite=suite, seed=seed, limit=limit)
    base = untouched(where, shown) if shown.rows else None
    both = [shown, *([base] if base else [])]
    found = run_shown(
        shown, base=base, scope=scope, with_flips=flips or answers,
        answers=_answers(where, both) if answers else {},
    )  # fmt: skip
    report("show", found, drawn(print_run), as_json=as_json)
    return 0


def compare(
    before: RowArgument,
    after: RowArgument,
    seed: SeedOption = None,
    limit: LimitOption = None,
    flips: FlipsOption = False,
    answers: AnswersOption = False,
    scope: ScopeOption = "held_out",
    model: OneModelOption = None,
    other_model: Annotated[
        str | None, typer.Option("--other-model", help="The model of the second row, if another.")
    ] = None,
    suite: SuiteOption = DEFAULT_SUITE,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Compare two rows: what flipped from the first to the second, where, in which direction.

    On all seeds that both have, unless one is named.
    """
    from benchmark.tables.changes.build import changes_between
    from benchmark.tables.changes.terminal import print_changes

    where = results_at(results)
    mine, other = (
        _runs_of(row, where, model=of, suite=suite, seed=seed, limit=limit)
        for row, of in ((before, model), (after, other_model or model))
    )
    models = {runs[0].record.spec.model: runs[0] for runs in (mine, other)}
    bases = [base for run in models.values() if (base := untouched(where, run)) is not None]
    found = changes_between(
        mine, other, scope=scope, with_flips=flips or answers, bases=bases,
        answers=_answers(where, [*mine, *other]) if answers else {},
    )  # fmt: skip
    report("compare", found, drawn(print_changes), as_json=as_json)
    return 0


def run_of(
    run: str,
    results: Results,
    *,
    model: str | None,
    suite: str,
    seed: int | None,
    limit: int | None = None,
    published_first: bool = False,
) -> LoadedRun:
    """A run by its record's file, or by its row and seed, the first if none is named."""
    from benchmark.tables.finding import find_run, read_found

    if run.endswith(".json"):
        _only_a_file(run, model=model, suite=suite, seed=seed, limit=limit)
        return read_found(results, Path(run))
    row = _row(run, results, model=model, suite=suite, limit=limit)
    return find_run(results, row, seed=seed or 0, published_first=published_first)


def _runs_of(
    run: str,
    results: Results,
    *,
    model: str | None,
    suite: str,
    seed: int | None,
    limit: int | None,
) -> list[LoadedRun]:
    """One seed of a row or all of them; a row whose outcome no seed changes has one."""
    from benchmark.tables.finding import find_runs

    if run.endswith(".json"):
        return [run_of(run, results, model=None, suite=suite, seed=None, limit=limit)]
    found = find_runs(results, _row(run, results, model=model, suite=suite, limit=limit))
    if seed is None or (len(found) == 1 and found[0].record.method.deterministic):
        return found
    named = [one for one in found if one.record.spec.seed == seed]
    return named or [run_of(run, results, model=model, suite=suite, seed=seed, limit=limit)]


def _row(run: str, results: Results, *, model: str | None, suite: str, limit: int | None) -> Row:
    """By the names that records lie under, whatever was typed: a file, a folder or a name; of what
    is there no more also the name that tables call it by."""
    from benchmark.models import load_card
    from benchmark.suites import load_suite
    from benchmark.tables.finding import Row, has_records

    # Without a model the suite must be there, to say which is its first.
    typed = read_model(model, suite=suite)
    try:
        name, on = load_suite(suite).name, load_card(typed).name
    except UserError:
        name, on = suite, typed
        if not has_records(results, Row(suite=name, model=on, method=run)):
            raise
    return Row(suite=name, model=on, method=_as_recorded(run), limit=limit)


def _as_recorded(row: str) -> str:
    """A row's name as records have it: settings in order, numbers as they are written there."""
    from benchmark.core.rows import row_name, split_row

    try:
        return row_name(*split_row(row))
    except UserError:
        return row


def _only_a_file(
    run: str, *, model: str | None, suite: str, seed: int | None, limit: int | None
) -> None:
    """A record's file says all of this itself."""
    given = {"--model": model, "--seed": seed, "--limit": limit}
    given["--suite"] = suite if suite != DEFAULT_SUITE else None
    for option, value in given.items():
        if value is not None:
            raise UserError(f"{option} {value}: {run} is one run's record; the option is for a row")


def untouched(results: Results, run: LoadedRun) -> LoadedRun | None:
    """The untouched model's run beside this one; None where there is none that can be used, which
    takes nothing but a comparison."""
    from benchmark.tables.finding import find_untouched

    try:
        found = find_untouched(results, run)
    except UserError as error:
        say(f"warning: the untouched model's run is left out: {error}")
        return None
    if found is not None and found.record.status != "done":
        say(f"warning: the untouched model's run is left out: {found.path} {found.record.status}")
        return None
    return found


def _answers(results: Results, runs: Sequence[LoadedRun]) -> dict[str, dict[str, str]]:
    """What was said in those of the runs whose answers are here. Raises `UserError` for none."""
    from benchmark.tables.changes.build import read_answers

    found = {run.record.run_id: read_answers(results, run.record) for run in runs}
    here = {run_id: answers for run_id, answers in found.items() if answers is not None}
    if not here:
        names = ", ".join(dict.fromkeys(run.record.spec.method for run in runs))
        raise UserError(
            f"the answers of {names} are not here: none are published; run them and they are"
        )
    return here
