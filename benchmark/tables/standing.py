"""Where a row stands, in a word."""

from __future__ import annotations

from benchmark.tables.board import BoardRow
from benchmark.tables.cells import rank


def stands(row: BoardRow) -> str:
    """Where a row stands: its rank, below the line, or beside it for reference."""
    if row.place == "ranked":
        return rank(row.rank)
    return "below" if row.place == "below" else "reference"
