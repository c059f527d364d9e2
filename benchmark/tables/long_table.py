"""A board as CSV in long form: one line per figure, with everything needed to use it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from benchmark.core.records import Score
from benchmark.tables.board import Board, BoardRow
from benchmark.tables.forgetting.long import persons_lines

COLUMNS = (
    "suite", "model", "method", "limit", "place", "rank_best", "rank_worst", "n_seeds", "metric_id",
    "metric", "card", "split", "form", "scope", "judge", "max_new_tokens", "value", "low", "high",
    "bound_low", "bound_high", "n_total", "n_scored", "n_unscored", "n_behaviours",
    "lower_is_better", "unit", "void",
)  # fmt: skip
FROM_SCORE = COLUMNS[9:]
N_DECIMALS = 9


def render(board: Board) -> str:
    """The CSV text; what is missing is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in board.rows:
        for line in _lines(board, row):
            writer.writerow(line)
    return text.getvalue()


def _lines(board: Board, row: BoardRow) -> Iterator[dict[str, object]]:
    best, worst = row.rank or (None, None)
    shared = {
        "suite": board.suite, "model": board.model, "method": row.method, "limit": row.limit,
        "place": row.place, "rank_best": best, "rank_worst": worst,
        "n_seeds": len(set(row.seeds)),
    }  # fmt: skip
    for score in row.scores:
        yield {**shared, "metric_id": score.metric_id, **_figure(score)}
    for line in persons_lines(board, row.name):
        yield {**shared, **{name: _rounded(value) for name, value in line.items()}}
    if row.cost is not None:
        yield {
            **shared, "metric_id": f"training_s@{row.cost.device_name}", "metric": "training_s",
            "value": _rounded(row.cost.training_s), "lower_is_better": True,
            "unit": f"{row.cost.device_unit}-seconds",
        }  # fmt: skip


def _figure(score: Score) -> dict[str, object]:
    return {name: _rounded(getattr(score, name)) for name in FROM_SCORE}


def _rounded(value: object) -> object:
    return round(value, N_DECIMALS) if isinstance(value, float) else value
