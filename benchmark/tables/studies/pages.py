"""Studies on disk: made from records, as the files of their pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.core.rows import BASE
from benchmark.core.store import Results, write_atomic
from benchmark.studies import Study
from benchmark.tables.boards import board_from, facts_from
from benchmark.tables.figures.canvas import Picture, write_picture
from benchmark.tables.studies import long, page
from benchmark.tables.studies.build import StudyBoard, build_study
from benchmark.tables.studies.collect import collect
from benchmark.tables.studies.pictures import pictures

Content = str | Picture


def study_board(study: Study, results: Results, *, local: bool) -> StudyBoard:
    """The study as the records have it; with `local` also those of what was run here."""
    collected = collect(study, results, local=local)
    board = board_from(collected.runs, collected.warnings, suite=study.suite, model=study.model)
    plan = facts_from(collected.runs, study.suite).plan
    return build_study(study, collected, board=board, plan=plan)


def study_files(found: StudyBoard, results: Results, *, published: bool) -> dict[Path, Content]:
    """Every file of a study's page, and what is in it."""
    contents: dict[str, Content] = {"md": page.render(found), "csv": long.render(found)}
    contents |= pictures(found)
    return {
        results.study_page(
            suite=found.study.suite, study=found.study.name, ending=ending, published=published
        ): content
        for ending, content in contents.items()
    }


def write_files(files: dict[Path, Content]) -> None:
    """Put pages and pictures where they belong."""
    for path, content in files.items():
        if isinstance(content, str):
            write_atomic(path, content)
        else:
            write_picture(path, content)


def what_is_there(found: StudyBoard) -> str:
    """How far a study has come: `18 of 24 rows have figures`."""
    rows = [row for declared, row in found.shown if declared is not None]
    done = sum(row is not None for row in rows)
    base = "" if found.figures(BASE) else f"; '{BASE}' is missing"
    return f"{done} of {len(rows)} rows have figures{base}"


def links(found: Sequence[StudyBoard]) -> str:
    """The README's section: every study's question and where its answer is."""
    lines = []
    for one in found:
        study = one.study
        path = f"leaderboard/{study.suite}/studies/{study.name}.md"
        lines.append(f"- [{study.title}]({path}): {study.question}")
    return "\n".join(["### Studies", "", *lines])
