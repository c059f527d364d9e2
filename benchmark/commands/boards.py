"""`table`: boards from records, and what a run shows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import (
    ResultsOption,
    results_at,
)
from benchmark.commands.output import JsonOption, report, say, show

if TYPE_CHECKING:
    from benchmark.core.found import Boards
    from benchmark.core.records import RunRecord
    from benchmark.core.store import Results
    from benchmark.tables.board import Board

STALE = 1


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("table", epilog="Example: table --check")(table)


def table(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if a board is stale.")
    ] = False,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Make all boards anew from records: yours, and the published ones in leaderboard/."""
    from benchmark.core.found import Boards
    from benchmark.tables.pages import stale

    where = results_at(results)
    found = Boards(files=[], stale=stale(where), warnings=[]) if check else regenerated(where)
    warn([*found.warnings, *found.stale], as_json=as_json)
    report("table", found, partial(board_names, check=check), as_json=as_json)
    return STALE if found.stale else 0


def regenerated(where: Results) -> Boards:
    from benchmark.core.found import Boards
    from benchmark.tables.pages import regenerate

    files: list[str] = []
    warnings: list[str] = []
    for published in (False, True):
        paths, said = regenerate(where, published=published)
        files += map(str, paths)
        warnings += (f"warning: {warning}" for warning in said)
    return Boards(files=files, stale=[], warnings=warnings)


def warn(lines: Sequence[str], *, as_json: bool) -> None:
    """Beside the output; a program finds them in it."""
    for line in () if as_json else lines:
        say(line)


def board_names(found: Boards, *, check: bool) -> str:
    if not check:
        return "\n".join(path for path in found.files if path.endswith(".md"))
    stale = "the boards are not what the records make"
    return stale if found.stale else "the boards are up to date"


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
            say(f"warning: {warning}")
        print_rows(console, one.board, titles=one.titles, published=published)
        folder = results.record(suite=suite, model=model, method="x", seed=0).parents[1]
        show(f"records: {folder}\ntable:   {one.paths[0]}")
