"""Comma-separated values with a header line."""

from __future__ import annotations

import csv

from benchmark.core.errors import UserError
from benchmark.data.cards import Card
from benchmark.data.sources.row import Row, check_columns, checked_file


def rows(card: Card, split: str) -> list[Row]:
    """All rows; a missing column, or a row of another length than the header, is an error."""
    path = checked_file(card, split)
    found: list[Row] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            check_columns(card, header, where=str(path))
            for values in reader:
                where = f"{path}:{reader.line_num}"
                if len(values) != len(header):
                    raise UserError(f"{where}: {len(values)} values under {len(header)} columns")
                found.append(
                    Row(
                        values=dict(zip(header, values, strict=True)),
                        columns=card.columns,
                        number=len(found),
                        where=where,
                        folder=path.parent,
                    )
                )
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except csv.Error as error:
        raise UserError(f"{path}: not readable as CSV: {error}") from None
    return found
