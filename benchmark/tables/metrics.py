"""The page of metrics: every card of benchmark/scoring/metrics.yaml as a row."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.scoring.forgetting.cards import forgetting_cards
from benchmark.scoring.metrics import MetricCard, metric_cards
from benchmark.tables.board import Board
from benchmark.tables.cells import markdown_table

INTRODUCTION = """\
# Metrics

A figure's id is `metric@card/split/form~scope#judge?tok=limit`; figures may be compared only where
all of it is the same. Rates are 0 to 1 in JSON and CSV, per cent on the boards. Answers that nobody
could judge are in no denominator: they are counted beside it, and as bounds."""
COLUMNS = tuple(MetricCard.model_fields)


def page(boards: Sequence[Board]) -> str:
    """All metrics, in the order of their files; those of forgetting where a board has persons."""
    known = dict(metric_cards())
    if any(board.persons is not None for board in boards):
        known |= forgetting_cards()
    rows = [
        [f"`{name}`", *(str(getattr(card, column)) for column in COLUMNS)]
        for name, card in known.items()
    ]
    return f"{INTRODUCTION}\n\n{markdown_table(['metric', *COLUMNS], rows)}\n"
