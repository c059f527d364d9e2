"""`show` and `compare`: what a run did, and on which prompts two runs differ."""

from __future__ import annotations

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
from benchmark.commands.output import JsonOption, drawn, report
from benchmark.core.rows import BASE

if TYPE_CHECKING:
    from benchmark.core.store import Results
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
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which seed of the row.")] = 0,
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
    shown = run_of(run, where, model=model, suite=suite, seed=seed)
    spec = shown.record.spec
    base = untouched(where, suite=spec.suite, model=spec.model) if shown.rows else None
    found = run_shown(
        shown, base=base, scope=scope, with_flips=flips or answers,
        answers=_answers(where, [shown, *([base] if base else [])]) if answers else {},
    )  # fmt: skip
    report("show", found, drawn(print_run), as_json=as_json)
    return 0


def compare(
    before: RowArgument,
    after: RowArgument,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="One seed; all that both have if not given.")
    ] = None,
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
    """Compare two rows: what flipped from the first to the second, where, in which direction."""
    from benchmark.tables.changes.build import changes_between
    from benchmark.tables.changes.terminal import print_changes

    where = results_at(results)
    mine = _runs_of(before, where, model=model, suite=suite, seed=seed)
    other = _runs_of(after, where, model=other_model or model, suite=suite, seed=seed)
    spec = mine[0].record.spec
    base = untouched(where, suite=spec.suite, model=spec.model)
    found = changes_between(
        mine,
        other,
        scope=scope,
        with_flips=flips or answers,
        answers=_answers(where, [*mine, *other]) if answers else {},
        base_rows=base.rows if base is not None else (),
    )
    report("compare", found, drawn(print_changes), as_json=as_json)
    return 0


def run_of(
    run: str,
    results: Results,
    *,
    model: str | None,
    suite: str,
    seed: int,
    published_first: bool = False,
) -> LoadedRun:
    """A run by its record's file, or by its row and seed."""
    from benchmark.tables.runs import find_record

    if run.endswith(".json"):
        return _read(Path(run), results)
    path = find_record(
        results, suite=suite, model=read_model(model, suite=suite), method=run, seed=seed,
        published_first=published_first,
    )  # fmt: skip
    return _read(path, results)


def _runs_of(
    run: str, results: Results, *, model: str | None, suite: str, seed: int | None
) -> list[LoadedRun]:
    """One seed of a row or all of them; a row whose outcome no seed changes has one."""
    from benchmark.tables.runs import find_records

    if run.endswith(".json"):
        return [_read(Path(run), results)]
    name = read_model(model, suite=suite)
    found = [
        _read(path, results) for path in find_records(results, suite=suite, model=name, method=run)
    ]
    if seed is None or (len(found) == 1 and found[0].record.method.deterministic):
        return found
    return [run_of(run, results, model=model, suite=suite, seed=seed)]


def _read(path: Path, results: Results) -> LoadedRun:
    from benchmark.tables.runs import read_run

    published = path.resolve().is_relative_to(results.published_records.resolve())
    return read_run(path, source="published" if published else "local")


def untouched(results: Results, *, suite: str, model: str) -> LoadedRun | None:
    """The untouched model's run; None where there is none, which takes nothing but a comparison."""
    from benchmark.tables.runs import find_records

    folders = find_records(results, suite=suite, model=model, method=BASE, missing_ok=True)
    return _read(folders[0], results) if folders else None


def _answers(results: Results, runs: list[LoadedRun]) -> dict[str, dict[str, str]]:
    from benchmark.tables.changes.build import read_answers

    return {run.record.run_id: read_answers(results, run.record) for run in runs}
