"""Rows of one type, without any text, as compressed CSV: verdicts, likelihoods, matches."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from benchmark.core.errors import UserError
from benchmark.core.store import digest, write_atomic
from benchmark.core.verdicts import Stored

RowT = TypeVar("RowT", bound=Stored)


@dataclass(frozen=True, kw_only=True)
class RowFile(Generic[RowT]):
    """How rows of a type are written. `name` is what a message calls such a table, `packed` are the
    columns that hold lists, each cell as JSON. An empty cell is None."""

    name: str
    row: type[RowT]
    packed: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The header: the type's fields, in their order."""
        return tuple(self.row.model_fields)

    def write(self, path: Path, rows: Iterable[RowT]) -> None:
        """Write a table; the same rows are the same bytes."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._cells(row) for row in rows)
        write_atomic(path, gzip.compress(text.getvalue().encode(), mtime=0))

    def read(self, path: Path) -> list[RowT]:
        """The rows of a table; one that is missing or damaged is a `UserError` that names it."""
        try:
            text = gzip.decompress(path.read_bytes()).decode()
        except FileNotFoundError:
            raise UserError(f"{path}: the {self.name} is missing") from None
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise UserError(f"{path}: corrupt {self.name}: {error}") from None
        try:
            # A type checker cannot know which type it is until a table is described.
            return TypeAdapter(list[self.row]).validate_python(self._rows(text))  # type: ignore[name-defined]
        except (csv.Error, json.JSONDecodeError, _TornError) as error:
            raise UserError(f"{path}: corrupt {self.name}: {error}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = f"row {first['loc'][0]}, {'.'.join(map(str, first['loc'][1:]))}"
            raise UserError(f"{path}: corrupt {self.name}: {where}: {first['msg']}") from None

    def digest(self, rows: Sequence[RowT]) -> str:
        """SHA-256 over the rows' values, in hex."""
        return digest([row.model_dump(mode="json") for row in rows])

    def _cells(self, row: RowT) -> dict[str, Any]:
        cells = row.model_dump(mode="json")
        cells |= {name: json.dumps(cells[name], separators=(",", ":")) for name in self.packed}
        return {name: int(v) if isinstance(v, bool) else v for name, v in cells.items()}

    def _rows(self, text: str) -> list[dict[str, Any]]:
        reader = csv.reader(io.StringIO(text), strict=True)
        if tuple(next(reader, ())) != self.columns:
            raise _TornError(f"its columns are not {', '.join(self.columns)}")
        found = []
        for values in reader:
            if len(values) != len(self.columns):
                n = len(self.columns)
                raise _TornError(f"line {reader.line_num}: {len(values)} values, not {n}")
            # Most values recur in every row: one copy of each halves what a board takes.
            cells: dict[str, Any] = {
                name: intern(v) or None for name, v in zip(self.columns, values, strict=True)
            }
            found.append(cells | {name: json.loads(cells[name] or "[]") for name in self.packed})
        return found


class _TornError(Exception):
    """A line that is not as long as its header, or no header of ours."""
