"""All that is generated from records: boards, studies, claims and the README's results.

Written by `regenerate`, and held against the records by `stale`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.store import Results, write_atomic
from benchmark.studies import all_studies
from benchmark.tables import metrics
from benchmark.tables.adversarial.budget import budget_pictures
from benchmark.tables.bases.files import NAME as MINIATURE
from benchmark.tables.bases.files import base_files, miniature_link
from benchmark.tables.board import Board
from benchmark.tables.boards import RENDERINGS, board_from, local_board, write_board
from benchmark.tables.claims.page import section
from benchmark.tables.claims.pages import claim_files, weighed
from benchmark.tables.durability.published import durability_files, durability_section
from benchmark.tables.families import families_section
from benchmark.tables.figures.canvas import is_of
from benchmark.tables.judges.measured import measured_of
from benchmark.tables.judges.page import judge_files
from benchmark.tables.pictured.files import NAME as COST
from benchmark.tables.pictured.files import cost_files, cost_link
from benchmark.tables.readme import with_results
from benchmark.tables.runs import board_folder, boards_in, read_runs
from benchmark.tables.studies.build import StudyBoard
from benchmark.tables.studies.collect import has_page
from benchmark.tables.studies.pages import Content, links, study_board, study_files, write_files


@dataclass(frozen=True, kw_only=True)
class Generated:
    """What the published records make."""

    boards: Sequence[Board]
    studies: Sequence[StudyBoard]
    files: dict[Path, Content]
    sections: Sequence[str]
    """What the README says besides the boards."""


def regenerate(results: Results, *, published: bool) -> tuple[list[Path], list[str]]:
    """Write every page anew. Returns the files, and the warnings of all of them."""
    if not published:
        boards = [
            local_board(results, suite=s, model=m) for s, m in boards_in(results.local_records)
        ]
        paths = [path for board in boards for path in write_board(board, results, published=False)]
        for board in boards:
            pictures = picture_files(board, results, published=False)
            write_files(pictures)
            paths += pictures
        return paths, [warning for board in boards for warning in board.warnings]
    made = generated(results)
    write_files(made.files)
    if results.readme.exists():
        write_atomic(
            results.readme, with_results(results.readme.read_text(), made.boards, made.sections)
        )
    boards = [*made.boards, *(study.board for study in made.studies)]
    return list(made.files), list(
        dict.fromkeys(warning for board in boards for warning in board.warnings)
    )


def stale(results: Results) -> list[str]:
    """A line for each published file that is not what the records make; none if all are.

    Files that no records make are named too. Of a picture the data behind it are compared, for
    pixels differ between versions of the drawing library.
    """
    made = generated(results)
    problems = []
    for path, content in made.files.items():
        if not path.exists():
            problems.append(f"{path}: missing")
        elif not _is_current(path, content):
            problems.append(f"{path}: not what the published records make")
    for path in sorted(results.leaderboard.rglob("*.*")):
        if path.suffix[1:] in (*RENDERINGS, "png", "svg") and path not in made.files:
            problems.append(f"{path}: no published records make this")
    if results.readme.exists():
        text = results.readme.read_text()
        if text != with_results(text, made.boards, made.sections):
            problems.append(f"{results.readme}: its results are not what the records make")
    return problems


def generated(results: Results) -> Generated:
    """All pages of the published records, in memory."""
    files: dict[Path, Content] = {}
    boards, judges = [], []
    for suite, model in boards_in(results.published_records):
        folder = board_folder(results.published_records, suite=suite, model=model)
        runs, warnings = read_runs(folder, source="published")
        board = board_from(runs, warnings, suite=suite, model=model)
        boards.append(board)
        found = measured_of(runs, board)
        judges += [found] if found is not None else []
    for board in boards:
        for suffix, render in RENDERINGS.items():
            path = results.board(
                suite=board.suite, model=board.model, suffix=suffix, published=True
            )
            files[path] = render(board)
        files |= picture_files(board, results, published=True)
    files |= judge_files(judges, boards, results)
    files |= base_files(results)
    files |= cost_files(boards, results)
    enduring = durability_files(results)
    files |= enduring
    if boards:
        files[results.leaderboard / "metrics.md"] = metrics.page(boards)
    studies = [
        study_board(study, results, local=False)
        for study in all_studies()
        if has_page(study, results)
    ]
    for study in studies:
        files |= study_files(study, results, published=True)
    sections = [links(studies)] if studies else []
    if any(path.stem == MINIATURE for path in files):
        sections.append(f"### The miniature itself\n\n{miniature_link()}")
    if any(path.stem == COST for path in files):
        sections.append(f"### What it costs\n\n{cost_link()}")
    if (section_ := durability_section(list(enduring), results)) is not None:
        sections.append(section_)
    for suite in dict.fromkeys(board.suite for board in boards):
        on_suite = [board for board in boards if board.suite == suite]
        claims = weighed(suite, on_suite, studies, results)
        if claims:
            files |= claim_files(claims, on_suite, results, suite=suite)
            sections.insert(0, section(claims, suite=suite))
    sections.append(families_section())
    return Generated(boards=boards, studies=studies, files=files, sections=sections)


def picture_files(board: Board, results: Results, *, published: bool) -> dict[Path, Content]:
    """The board's budget curves, where anything was searched for: as pixels and as lines."""
    return {
        results.board(
            suite=board.suite, model=board.model, suffix=f"{name}.{kind}", published=published
        ): picture
        for name, picture in budget_pictures(board).items()
        for kind in ("png", "svg")
    }


def _is_current(path: Path, content: Content) -> bool:
    if not isinstance(content, str):
        return is_of(path, content)
    return path.is_file() and path.read_bytes() == content.encode()
