"""The claims' page on disk, made from the published records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.claims import load_papers
from benchmark.core.paths import file_name
from benchmark.core.store import Results
from benchmark.tables.board import Board
from benchmark.tables.boards import plan_of_board
from benchmark.tables.claims import page
from benchmark.tables.claims.evidence import gather
from benchmark.tables.claims.finding import Weighed
from benchmark.tables.claims.weigh import weigh
from benchmark.tables.studies.build import StudyBoard


def weighed(
    suite: str, boards: Sequence[Board], studies: Sequence[StudyBoard], results: Results
) -> list[Weighed]:
    """Every claim about a suite, weighed on all its targets; none where no paper speaks of it."""
    papers = [paper for paper in load_papers() if paper.suite == suite]
    evidence = []
    for board in boards:
        own = [one for one in studies if (one.study.suite, one.study.model) == (suite, board.model)]
        plan = plan_of_board(board, results)
        evidence.append(gather(papers, results, board=board, plan=plan, studies=own))
    return weigh(papers, evidence)


def claim_files(
    found: Sequence[Weighed], boards: Sequence[Board], results: Results, *, suite: str
) -> dict[Path, str]:
    """The page and the figures behind it."""
    folder = results.leaderboard / file_name(suite)
    models = [board.model for board in boards]
    notices = [*_notices(boards)]
    return {
        folder / "claims.md": page.render(found, notices=notices, models=models),
        folder / "claims.csv": page.as_csv(found),
        folder / "claims.json": page.as_json(found),
    }


def _notices(boards: Sequence[Board]) -> Iterator[str]:
    """What is said above every table; with the model's name where it is of one model alone."""
    said = dict.fromkeys(notice for board in boards for notice in board.notices)
    for notice in said:
        of = [board.model for board in boards if notice in board.notices]
        names = ", ".join(f"`{model}`" for model in of)
        yield notice if len(of) == len(boards) else f"{names}: {notice}"
