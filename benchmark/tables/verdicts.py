"""Verdict tables: every verdict of a run and nothing that was said, as compressed CSV."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from sys import intern

from pydantic import TypeAdapter, ValidationError

from benchmark.core.errors import UserError
from benchmark.core.records import VerdictRow
from benchmark.core.store import digest, write_atomic

SUFFIX = ".verdicts.csv.gz"
COLUMNS = tuple(VerdictRow.model_fields)
_ROWS = TypeAdapter(list[VerdictRow])


def verdicts_path(record: Path) -> Path:
    """The verdict table beside a record's file."""
    return record.with_suffix(SUFFIX)


def write_verdicts(path: Path, rows: Iterable[VerdictRow]) -> None:
    """Write a table; the same rows are the same bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row.model_dump(), "truncated": int(row.truncated)} for row in rows)
    write_atomic(path, gzip.compress(text.getvalue().encode(), mtime=0))


def read_verdicts(path: Path) -> list[VerdictRow]:
    """The rows of a table; one that is missing or damaged is a `UserError` that names it."""
    try:
        text = gzip.decompress(path.read_bytes()).decode()
    except FileNotFoundError:
        raise UserError(f"{path}: the verdict table is missing") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: corrupt verdict table: {error}") from None
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise UserError(f"{path}: corrupt verdict table: its columns are not {', '.join(COLUMNS)}")
    try:
        return _ROWS.validate_python(
            # Most values recur in every row: one copy of each halves what a board takes.
            [{name: intern(value) or None for name, value in row.items()} for row in reader]
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = f"row {first['loc'][0]}, {'.'.join(map(str, first['loc'][1:]))}"
        raise UserError(f"{path}: corrupt verdict table: {where}: {first['msg']}") from None


def verdicts_digest(rows: Sequence[VerdictRow]) -> str:
    """What a record keeps of its verdicts under `digests.verdicts`."""
    return digest([row.model_dump(mode="json") for row in rows])
