"""What rows know of persons, in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from benchmark.core.rows import BASE
from benchmark.scoring.forgetting.figures import Figure
from benchmark.tables.board import Board, BoardRow
from benchmark.tables.cells import MISSING
from benchmark.tables.forgetting import cells
from benchmark.tables.forgetting.board import ALL, MODALITIES, PersonsBoard, PersonsRow
from benchmark.tables.forgetting.told import GOLD

RECALL = "exact_match"


def persons_table(board: Board, persons: PersonsBoard, *, titles: Sequence[str]) -> Table:
    """Distance to gold and what is still told, for the rows of `titles` beside the untouched model
    and gold, which come last."""
    table = Table(
        title="Persons: D to gold; whole answers that are right, per cent",
        title_justify="left", padding=(0, 1, 0, 0), box=None, width=80, pad_edge=False,
    )  # fmt: skip
    table.add_column("method", overflow="fold", ratio=1, min_width=16)
    columns = ("D to gold", "forget:\ntext", "\nimage", "\nboth", "retain", "verdict")
    for name in columns:
        table.add_column(name, justify="right" if name != "verdict" else "left")
    names = list(dict.fromkeys([*titles, *_beside(board, titles)]))
    for name in names:
        found = persons.row(name)
        if found is not None:
            table.add_row(name, *_figures(found), style="bold" if name in titles else "")
    return table


def print_persons(
    console: Console, board: Board, persons: PersonsBoard, *, titles: Sequence[str]
) -> None:
    """Print the table, how far golds are apart, and why each row has its word."""
    console.print(persons_table(board, persons, titles=titles))
    spread = persons.spread.get(ALL)
    n = len(persons.gold_seeds)
    console.print(Text(f"golds: {n}; D of one to another: {cells.spread_range(spread)}"))
    if not persons.calibrated:
        need = persons.n_golds_needed
        console.print(Text(f"fewer than {need} golds: not known how far golds are apart"))
    for name in titles:
        found = persons.row(name)
        for reason in found.reasons if found else ():
            console.print(Padding(Text(f"- {name}: {reason}"), (0, 0, 0, 2)))


def _beside(board: Board, titles: Sequence[str]) -> list[str]:
    rows: list[BoardRow] = [row for title in titles if (row := board.row(title)) is not None]
    bases = [base.name for row in rows if (base := board.base_of(row)) is not None]
    return [*(bases or [BASE]), GOLD]


def _figures(found: PersonsRow) -> list[str]:
    distance = found.distances.get(ALL)
    recalled = [
        _brief(found.figure(RECALL, group="forget", modality=modality)) for modality in MODALITIES
    ]
    kept = _brief(found.figure(RECALL, group="retain"))
    return [
        cells.estimate(distance) if distance else MISSING,
        *recalled,
        kept,
        found.word,
    ]


def _brief(found: Figure | None) -> str:
    """How many are unscored is said below the table, and would leave no room for names here."""
    return MISSING if found is None or found.value is None else cells.rate(found)
