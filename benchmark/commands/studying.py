"""`study`: run what a study still lacks, and show what it says."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.completing import one_of
from benchmark.commands.ended import facts_of, run_all
from benchmark.commands.options import JobsOption, ResultsOption, results_at
from benchmark.commands.output import JsonOption, say, show, show_json
from benchmark.commands.presence import check_models
from benchmark.commands.running import DeviceOption
from benchmark.core.store import check_writable

if TYPE_CHECKING:
    from benchmark.core.store import Results
    from benchmark.several import Outcome
    from benchmark.studies import Study


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("study", epilog="Example: study loss_terms")(study)


def study(
    name: Annotated[
        str,
        typer.Argument(
            help="A name from `list studies`, or a YAML file.", autocompletion=one_of("study")
        ),
    ],
    device: DeviceOption = "auto",
    jobs: JobsOption = None,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Run the rows that are neither published nor done here, and write the study's page.

    Rows of the main board are read from there. Interrupted, it goes on where it stopped.
    """
    from benchmark.core.found import RunsEnded
    from benchmark.studies import load_study
    from benchmark.tables.studies.collect import not_published

    declared = load_study(name)
    where = results_at(results)
    left = not_published(declared, where)
    if left and not as_json:
        show(f"{declared.name}: {len(left)} runs are not published")
    outcomes, code = _run(declared, left, where, device=device, jobs=jobs) if left else ([], 0)
    files, page = _written(declared, where)
    if as_json:
        runs = [facts_of(outcome) for outcome in outcomes]
        show_json("study", RunsEnded(runs=runs, files=list(map(str, files)), exit_code=code))
    else:
        show(page)
    return code


def _run(
    declared: Study,
    left: list[tuple[str, int]],
    where: Results,
    *,
    device: str,
    jobs: int | None,
) -> tuple[list[Outcome], int]:
    """Stages that are done are found by their keys, so that only what is missing takes time."""
    check_models(suite=declared.suite, models=(declared.model,))
    check_writable(where.root)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from benchmark.runner import RunRequest

    rows = {row.name: row for row in declared.all_rows}
    requests = [
        RunRequest(
            method=rows[name].typed, preset=rows[name].preset, model=declared.model,
            suite=declared.suite, seed=seed, device=device, results=where.root,
        )
        for name, seed in left
    ]  # fmt: skip
    return run_all(requests, jobs=jobs)


def _written(declared: Study, where: Results) -> tuple[list[Path], str]:
    """Write the study's page; its files, and what to show of it."""
    from benchmark.tables.studies.pages import (
        study_board,
        study_files,
        what_is_there,
        write_files,
    )

    found = study_board(declared, where, local=True)
    for warning in found.board.warnings:
        say(f"warning: {warning}")
    files = study_files(found, where, published=False)
    write_files(files)
    page = next(path for path in files if path.suffix == ".md")
    return list(files), f"{page.read_text()}\n{what_is_there(found)}\npage: {page}"
