"""`publish`: records, checked again, become committed ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.boards import board_names, regenerated, warn
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

if TYPE_CHECKING:
    from benchmark.core.found import Publication, PublishedRow
    from benchmark.core.store import Results
    from benchmark.tables.publish import Published


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("publish", epilog="Example: publish --method textual_unlearning")(publish)


def publish(
    method: Annotated[
        str | None, typer.Option("--method", help="One or several with commas, or `all` rows here.")
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", help="The rows of a study instead, apart from boards.")
    ] = None,
    base: Annotated[
        list[Path],
        typer.Option("--base", help="The training record of a miniature, by its checkpoint."),
    ] = [],  # noqa: B006 (typer reads the default, nobody changes it)
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
    from benchmark.core.found import Publication

    if sum(map(bool, (method, study, base))) != 1:
        raise UserError("publish takes --method, --study or --base, one of them")
    where = results_at(results)
    numbers = read_seeds(seeds) if seeds is not None else None
    if study is not None and numbers is not None:
        raise UserError("--seeds: the study itself says which seeds it has")
    if base and (numbers is not None or model is not None):
        raise UserError("--base names trainings by their checkpoints; --seeds and --model do not")
    left_out: dict[str, str] = {}
    rows: list[PublishedRow] = []
    try:
        if base:
            copying = _bases_copied(where, base, replace=replace)
        elif study is not None:
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
            boards = regenerated(where)
            warn(boards.warnings, as_json=as_json)
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


def _bases_copied(
    where: Results, checkpoints: Sequence[Path], *, replace: bool
) -> Iterator[PublishedRow]:
    from benchmark.core.found import PublishedRow
    from benchmark.tables.bases.collect import publish_base

    for checkpoint in checkpoints:
        path = publish_base(where, checkpoint, replace=replace)
        yield PublishedRow(name=path.stem, records=[str(path)], below=[])


def _row(name: str, done: Published) -> PublishedRow:
    from benchmark.core.found import PublishedRow

    below = [] if done.reference else done.reasons
    return PublishedRow(name=name, records=[str(path) for path in done.records], below=below)


def _copied_lines(row: PublishedRow) -> list[str]:
    below = [f"{row.name} will stand below the line: {reason}" for reason in row.below]
    return [*row.records, *below]


def _published_boards(found: Publication) -> str:
    return board_names(found.boards, check=False)


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
