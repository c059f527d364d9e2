"""`table` and `publish`: boards from records."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
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
from benchmark.commands.output import JsonOption, report, show
from benchmark.core.errors import UserError
from benchmark.core.found import Boards, Publication, PublishedRow

if TYPE_CHECKING:
    from benchmark.core.records import RunRecord
    from benchmark.core.store import Results
    from benchmark.tables.board import Board
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
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Make all boards anew from records: yours, and the published ones in leaderboard/."""
    from benchmark.tables.pages import stale

    where = results_at(results)
    found = Boards(files=[], stale=stale(where), warnings=[]) if check else _regenerated(where)
    _warn([*found.warnings, *found.stale], as_json=as_json)
    report("table", found, partial(_boards, check=check), as_json=as_json)
    return STALE if found.stale else 0


def _regenerated(where: Results) -> Boards:
    from benchmark.tables.pages import regenerate

    files: list[str] = []
    warnings: list[str] = []
    for published in (False, True):
        paths, said = regenerate(where, published=published)
        files += map(str, paths)
        warnings += (f"warning: {warning}" for warning in said)
    return Boards(files=files, stale=[], warnings=warnings)


def _warn(lines: Sequence[str], *, as_json: bool) -> None:
    """Beside the output; a program finds them in it."""
    for line in () if as_json else lines:
        print(line, file=sys.stderr)


def _boards(found: Boards, *, check: bool) -> str:
    if not check:
        return "\n".join(path for path in found.files if path.endswith(".md"))
    stale = "the boards are not what the records make"
    return stale if found.stale else "the boards are up to date"


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
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Check the rules again and copy records, without any text, to results/published."""
    if (method is None) == (study is None):
        raise UserError("publish takes --method or --study, one of them")
    where = results_at(results)
    numbers = read_seeds(seeds) if seeds is not None else None
    if study is not None and numbers is not None:
        raise UserError("--seeds: the study itself says which seeds it has")
    left_out: dict[str, str] = {}
    rows: list[PublishedRow] = []
    boards: Boards | None = None
    try:
        if study is not None:
            copying = _study_copied(where, study, replace=replace)
        else:
            assert method is not None
            named, left_out = _rows(where, method, model=model, suite=suite)
            _tell(left_out.values(), as_json=as_json)
            copying = _copied(where, named, suite=suite, seeds=numbers, replace=replace)
        for row in copying:
            rows.append(row)
            _tell(_copied_lines(row), as_json=as_json)
    finally:
        # Also of what was copied before something was refused, and of that alone.
        if rows:
            boards = _regenerated(where)
            _warn(boards.warnings, as_json=as_json)
    found = Publication(rows=rows, left_out=left_out, boards=boards)
    report("publish", found, _published_boards, as_json=as_json)
    return 0


def _copied(
    where: Results,
    named: Sequence[tuple[str, str]],
    *,
    suite: str,
    seeds: Sequence[int] | None,
    replace: bool,
) -> Iterator[PublishedRow]:
    """Publish row after row."""
    from benchmark.tables.publish import publish as publish_row

    for name, model in named:
        done = publish_row(
            where, suite=suite, model=model, method=name, seeds=seeds, replace=replace
        )
        yield _row(name, done)


def _study_copied(where: Results, study: str, *, replace: bool) -> Iterator[PublishedRow]:
    from benchmark.studies import load_study
    from benchmark.tables.publish import publish_study

    for name, done in publish_study(load_study(study), where, replace=replace).items():
        yield _row(name, done)


def _row(name: str, done: Published) -> PublishedRow:
    below = [] if done.reference else done.reasons
    return PublishedRow(method=name, records=[str(path) for path in done.records], below=below)


def _copied_lines(row: PublishedRow) -> list[str]:
    below = [f"{row.method} will stand below the line: {reason}" for reason in row.below]
    return [*row.records, *below]


def _published_boards(found: Publication) -> str:
    return _boards(found.boards, check=False) if found.boards else ""


def _tell(lines: Iterable[str], *, as_json: bool) -> None:
    """As it goes on; a program is told at the end."""
    for line in () if as_json else lines:
        show(line)


def _rows(
    where: Results, method: str, *, model: str | None, suite: str
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Rows and their targets; of `all` those that can be published, and lines about the others.

    Raises `UserError` where `all` finds nothing on any target.
    """
    from benchmark.tables.publish import rows_to_publish

    models = read_models(model, suite=suite, method=method)
    if method != EVERY:
        return [(name, one) for one in models for name in read_methods(method)], {}
    found: list[tuple[str, str]] = []
    nothing: list[UserError] = []
    left_out: dict[str, str] = {}
    for one in models:
        try:
            names, others = rows_to_publish(where, suite=suite, model=one)
        except UserError as error:
            nothing.append(error)
            left_out[one] = str(error)
            continue
        for name, reason in others.items():
            left_out[f"{name} on {one}"] = f"{name} on {one} is left out: {reason}"
        found += [(name, one) for name in names]
    if not found and nothing:
        raise nothing[0]
    return found, left_out


@dataclass(frozen=True, kw_only=True)
class WrittenBoard:
    """A local board on disk, and which of its rows were run just now."""

    board: Board
    paths: list[Path]
    titles: list[str]


def write_boards(records: Sequence[RunRecord], results: Results) -> list[WrittenBoard]:
    """Write the local boards that these runs are on."""
    from benchmark.tables.board import row_title
    from benchmark.tables.boards import local_board, write_board

    written = []
    for suite, model in sorted({(record.spec.suite, record.spec.model) for record in records}):
        here = [r.spec for r in records if (r.spec.suite, r.spec.model) == (suite, model)]
        titles = list(dict.fromkeys(row_title(spec.method, spec.limit) for spec in here))
        board = local_board(results, suite=suite, model=model)
        paths = write_board(board, results, published=False)
        written.append(WrittenBoard(board=board, paths=paths, titles=titles))
    return written


def show_boards(written: Sequence[WrittenBoard], results: Results) -> None:
    """Print the rows of what was run beside the published ones."""
    from rich.console import Console

    from benchmark.tables.boards import generated_board
    from benchmark.tables.terminal import print_rows

    console = Console()
    for one in written:
        suite, model = one.board.suite, one.board.model
        published, warnings = generated_board(results, suite=suite, model=model)
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print_rows(console, one.board, titles=one.titles, published=published)
        folder = results.record(suite=suite, model=model, method="x", seed=0).parents[1]
        show(f"records: {folder}\ntable:   {one.paths[0]}")
