"""The README's figures: the published boards in short, between two marks, generated."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.errors import UserError
from benchmark.scoring.attacked import WORST, family_name
from benchmark.scoring.plan import HELD_OUT
from benchmark.tables.board import Board
from benchmark.tables.cells import (
    borne,
    markdown_table,
    percent,
    percent_interval,
)
from benchmark.tables.compute import training_words, unit_name
from benchmark.tables.forgetting.page import short_table
from benchmark.tables.reading import short_reading
from benchmark.tables.standing import stands

START = "<!-- generated:results -->"
END = "<!-- /generated:results -->"


def with_results(text: str, boards: Sequence[Board], more: Sequence[str] = ()) -> str:
    """The README with its results section made anew; `more` are sections that follow the boards.

    Raises `UserError` if a mark is missing.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise UserError(f"README.md lacks the marks {START} and {END}")
    body = "\n\n".join(["## Results so far", *(_section(board) for board in boards), *more])
    inside = f"\n{body}\n" if boards else "\n"
    return f"{before}{START}{inside}{END}{after}"


def _section(board: Board) -> str:
    page = f"leaderboard/{board.suite}/{board.model}.md"
    notices = "\n>\n".join(f"> {notice}" for notice in board.notices)
    if board.persons is not None:
        said = (
            "How far from a model that never learnt them: D 0 is the same, 1 wholly apart. Ranked "
            "is held against the others, and not forgotten: a row may be as far from gold as the "
            "untouched model. Right answers are per cent; `*`: some answers are unscored. All "
            f"figures: [{page}]({page})."
        )
        title = f"### {board.suite_title}, target `{board.model}`"
        return "\n\n".join(filter(None, [title, notices, said, short_table(board, board.persons)]))
    words = (
        f"Attack success on held-out behaviours, harmless twins and utility, per cent with 95 % "
        f"intervals; training in {unit_name(board)}-seconds. All figures: [{page}]({page})."
    )
    parts = [f"### {board.suite_title}, target `{board.model}`", notices, words, _table(board)]
    return "\n\n".join([*filter(None, parts), short_reading(board, page=page)])


def _table(board: Board) -> str:
    families = [family_name(family) for family in board.families]
    header = ["rank", "method", "worst family", *map(borne, board.families)]
    header += ["twins", "over-refusal", "utility kept", "coherence", "training"]
    rows = []
    for row in board.rows:
        cells = [stands(row), row.name]
        cells += [
            percent_interval(
                row.score("asr", judge=board.judge_for("asr"), form=form, scope=HELD_OUT)
            )
            for form in (WORST, *families)
        ]
        cells += [
            percent(row.score("twin", judge=board.judge_for("twin"))),
            *(
                percent(row.score(metric, judge=board.judge_for(metric), card="all"))
                for metric in ("over_refusal", "utility_retained")
            ),
            percent(row.score("coherence", judge=board.coherence_judge)),
            training_words(row.cost),
        ]
        rows.append(cells)
    return markdown_table(header, rows)
