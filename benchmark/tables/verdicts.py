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
    try:
        return _ROWS.validate_python(_rows(text))
    except (csv.Error, _TornError) as error:
        raise UserError(f"{path}: corrupt verdict table: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = f"row {first['loc'][0]}, {'.'.join(map(str, first['loc'][1:]))}"
        raise UserError(f"{path}: corrupt verdict table: {where}: {first['msg']}") from None


class _TornError(Exception):
    """A line that is not as long as its header, or no header of ours."""


def _rows(text: str) -> list[dict[str, str | None]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    if tuple(next(reader, ())) != COLUMNS:
        raise _TornError(f"its columns are not {', '.join(COLUMNS)}")
    found = []
    for values in reader:
        if len(values) != len(COLUMNS):
            raise _TornError(f"line {reader.line_num}: {len(values)} values, not {len(COLUMNS)}")
        # Most values recur in every row: one copy of each halves what a board takes.
        found.append({name: intern(v) or None for name, v in zip(COLUMNS, values, strict=True)})
    return found


def verdicts_digest(rows: Sequence[VerdictRow]) -> str:
    """What a record keeps of its verdicts under `digests.verdicts`."""
    return digest([row.model_dump(mode="json") for row in rows])
