"""Verdict tables: every verdict of a run and nothing that was said, as compressed CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.core.records import VerdictRow
from benchmark.tables.row_files import RowFile

SUFFIX = ".verdicts.csv.gz"
_FILE = RowFile(name="verdict table", row=VerdictRow)
COLUMNS = _FILE.columns


def verdicts_path(record: Path) -> Path:
    """The verdict table beside a record's file."""
    return record.with_suffix(SUFFIX)


def write_verdicts(path: Path, rows: Iterable[VerdictRow]) -> None:
    """Write a table; the same rows are the same bytes."""
    _FILE.write(path, rows)


def read_verdicts(path: Path) -> list[VerdictRow]:
    """The rows of a table; one that is missing or damaged is a `UserError` that names it."""
    return _FILE.read(path)


def verdicts_digest(rows: Sequence[VerdictRow]) -> str:
    """What a record keeps of its verdicts under `digests.verdicts`."""
    return _FILE.digest(rows)
