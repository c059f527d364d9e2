"""`table` and `publish`: boards from records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import (
    DEFAULT_SUITE,
    EVERY,
    ModelOption,
    ResultsOption,
    SuiteOption,
    read_methods,
    read_models,
    read_seeds,
    results_at,
)
from benchmark.commands.output import say, show
from benchmark.core.errors import UserError

if TYPE_CHECKING:
    from benchmark.core.records import RunRecord
    from benchmark.core.store import Results
    from benchmark.tables.publish import Published

STALE = 1


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("table", epilog="Example: table --check")(table)
    app.command("publish", epilog="Example: publish --method textual_unlearning")(publish)


def table(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if a board is stale.")
    ] = False,
    results: ResultsOption = None,
) -> int:
    """Make all boards anew from records: yours, and the published ones in leaderboard/."""
    from benchmark.tables.pages import regenerate, stale

    where = results_at(results)
    if check:
        problems = stale(where)
        for problem in problems:
            say(problem)
        show(
            "the boards are not what the records make" if problems else "the boards are up to date"
        )
        return STALE if problems else 0
    for published in (False, True):
        paths, warnings = regenerate(where, published=published)
        for warning in warnings:
            say(f"warning: {warning}")
        for path in paths:
            if path.suffix == ".md":
                show(str(path))
    return 0


def publish(
    method: Annotated[
        str | None, typer.Option("--method", help="One or several with commas, or `all` rows here.")
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", help="The rows of a study instead, apart from boards.")
    ] = None,
    model: ModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="As for `run`; all that there are if not given.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put your runs in the place of published ones.")
    ] = False,
    results: ResultsOption = None,
) -> int:
    """Check the rules again and copy records, without any text, to results/published."""
    if (method is None) == (study is None):
        raise UserError("publish takes --method or --study, one of them")
    from benchmark.tables import publish as publishing

    where = results_at(results)
    numbers = read_seeds(seeds) if seeds is not None else None
    if study is not None:
        if numbers is not None:
            raise UserError("--seeds: the study itself says which seeds it has")
        _publish_study(where, study, replace=replace)
        return table(results=results)
    assert method is not None
    copied = False
    try:
        for name, one in _rows(where, method, model=model, suite=suite):
            done = publishing.publish(
                where, suite=suite, model=one, method=name, seeds=numbers, replace=replace
            )
            copied = True
            _say(name, done)
    finally:
        # Also of what was copied before something was refused, and of that alone.
        if copied:
            table(results=results)
    return 0


def _publish_study(where: Results, study: str, *, replace: bool) -> None:
    from benchmark.studies import load_study
    from benchmark.tables import publish as publishing

    done = publishing.publish_study(load_study(study), where, replace=replace)
    for name, published in done.items():
        _say(name, published)


def _rows(where: Results, method: str, *, model: str | None, suite: str) -> list[tuple[str, str]]:
    """Rows and their targets; of `all` those that can be published, and the others are named.

    Raises `UserError` where `all` finds nothing on any target.
    """
    from benchmark.tables.publish import rows_to_publish

    models = read_models(model, suite=suite, method=method)
    if method != EVERY:
        return [(name, one) for one in models for name in read_methods(method)]
    found: list[tuple[str, str]] = []
    nothing: list[UserError] = []
    for one in models:
        try:
            names, left_out = rows_to_publish(where, suite=suite, model=one)
        except UserError as error:
            nothing.append(error)
            continue
        for name, reason in left_out.items():
            show(f"{name} on {one} is left out: {reason}")
        found += [(name, one) for name in names]
    if not found and nothing:
        raise nothing[0]
    for none_here in nothing:
        show(str(none_here))
    return found


def _say(name: str, done: Published) -> None:
    for path in done.records:
        show(str(path))
    for reason in () if done.reference else done.reasons:
        show(f"{name} will stand below the line: {reason}")


def show_boards(records: Sequence[RunRecord], results: Results) -> None:
    """Write the local boards and print the rows of what was run beside the published ones."""
    from rich.console import Console

    from benchmark.tables.board import row_title
    from benchmark.tables.boards import generated_board, local_board, write_board
    from benchmark.tables.terminal import print_rows

    console = Console()
    for suite, model in sorted({(record.spec.suite, record.spec.model) for record in records}):
        here = [r.spec for r in records if (r.spec.suite, r.spec.model) == (suite, model)]
        titles = list(dict.fromkeys(row_title(spec.method, spec.limit) for spec in here))
        board = local_board(results, suite=suite, model=model)
        paths = write_board(board, results, published=False)
        published, warnings = generated_board(results, suite=suite, model=model)
        for warning in warnings:
            say(f"warning: {warning}")
        print_rows(console, board, titles=titles, published=published)
        folder = results.record(suite=suite, model=model, method="x", seed=0).parents[1]
        show(f"records: {folder}\ntable:   {paths[0]}")
