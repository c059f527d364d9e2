"""JSON lines: one object a line."""

from __future__ import annotations

import json
from typing import NoReturn

from benchmark.core.errors import UserError
from benchmark.data.cards import Card
from benchmark.data.sources.row import Row, check_columns, checked_file


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def rows(card: Card, split: str) -> list[Row]:
    """All rows; a line that is no JSON object or lacks a column is named with its number."""
    path = checked_file(card, split)
    found: list[Row] = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            values = json.loads(line, parse_constant=_no_number)
        except ValueError as error:
            raise UserError(f"{where}: not JSON: {error}") from None
        except RecursionError:
            raise UserError(f"{where}: nested too deeply") from None
        if not isinstance(values, dict):
            raise UserError(f"{where}: expected a JSON object")
        check_columns(card, values, where=where)
        found.append(
            Row(
                values=values,
                columns=card.columns,
                number=len(found),
                where=where,
                folder=path.parent,
            )
        )
    return found
