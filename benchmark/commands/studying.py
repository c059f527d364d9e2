"""`study`: run what a study still lacks, and show what it says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import JobsOption, ResultsOption, results_at
from benchmark.commands.output import say, show
from benchmark.commands.running import DeviceOption, check_models, run_all
from benchmark.core.store import check_writable

if TYPE_CHECKING:
    from benchmark.core.store import Results
    from benchmark.studies import Study


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("study", epilog="Example: study loss_terms")(study)


def study(
    name: Annotated[str, typer.Argument(help="A name from `list studies`, or a YAML file.")],
    device: DeviceOption = "auto",
    jobs: JobsOption = None,
    results: ResultsOption = None,
) -> int:
    """Run the rows that are neither published nor done here, and write the study's page.

    Rows of the main board are read from there. Interrupted, it goes on where it stopped.
    """
    from benchmark.studies import load_study
    from benchmark.tables.studies.collect import not_published

    declared = load_study(name)
    where = results_at(results)
    left = not_published(declared, where)
    code = 0
    if left:
        show(f"{declared.name}: {len(left)} runs are not published")
        code = _run(declared, left, where, device=device, jobs=jobs)
    _show(declared, where)
    return code


def _run(
    declared: Study,
    left: list[tuple[str, int]],
    where: Results,
    *,
    device: str,
    jobs: int | None,
) -> int:
    """Stages that are done are found by their keys, so that only what is missing takes time."""
    check_models(suite=declared.suite, models=(declared.model,))
    check_writable(where.root)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from benchmark.runner import RunRequest

    requests = [
        RunRequest(
            method=row, model=declared.model, suite=declared.suite, seed=seed, device=device,
            results=where.root,
        )
        for row, seed in left
    ]  # fmt: skip
    _, code = run_all(requests, jobs=jobs)
    return code


def _show(declared: Study, where: Results) -> None:
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
    show(page.read_text())
    show(f"{what_is_there(found)}\npage: {page}")
