"""Runs read back from disk: a record and its verdicts. A damaged one is named, never fatal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from benchmark.core.errors import UserError
from benchmark.core.forgetting import LikelihoodRow, MatchRow
from benchmark.core.paths import file_name
from benchmark.core.records import SCHEMA_VERSION, RunRecord, VerdictRow
from benchmark.tables.forgetting.rows import (
    LIKELIHOODS,
    MATCHES,
    likelihoods_path,
    matches_path,
)
from benchmark.tables.row_files import RowFile, RowT
from benchmark.tables.verdicts import (
    read_verdicts,
    verdicts_digest,
    verdicts_path,
    write_verdicts,
)

Source = Literal["published", "local"]


@dataclass(frozen=True, kw_only=True)
class LoadedRun:
    """A record, its verdicts (none for a run that did not finish) and where they lay; of a suite
    about persons also what it says of their questions, without text."""

    record: RunRecord
    rows: Sequence[VerdictRow] = field(repr=False)
    source: Source
    path: Path
    likelihoods: Sequence[LikelihoodRow] = field(default=(), repr=False)
    matches: Sequence[MatchRow] = field(default=(), repr=False)

    @property
    def whole(self) -> bool:
        """Did it finish, on the full suite?"""
        return is_whole(self.record)


def is_whole(record: RunRecord) -> bool:
    """Is it of a run that finished, on the full suite?"""
    return record.status == "done" and record.spec.limit is None


def read_runs(
    folder: Path, *, source: Source, wanted: Callable[[RunRecord], bool] = lambda _record: True
) -> tuple[list[LoadedRun], list[str]]:
    """The `wanted` runs below the folder of one board with their verdicts, which are what takes
    long; and a line for each that could not be read.

    Of several attempts at one run the finished one counts, else the latest.
    """
    found: dict[tuple[str, int, int | None], LoadedRun] = {}
    records, warnings = read_records(folder)
    for path, record in records:
        if not wanted(record):
            continue
        try:
            run = _with_rows(record, path, source=source)
        except UserError as error:
            warnings.append(f"left out: {error}")
            continue
        key = (record.spec.method, record.spec.seed, record.spec.limit)
        if key not in found or _precedence(run) > _precedence(found[key]):
            found[key] = run
    return list(found.values()), warnings


def read_records(folder: Path) -> tuple[list[tuple[Path, RunRecord]], list[str]]:
    """All records below the folder of one board, and a line for each that could not be read."""
    found, warnings = [], []
    for path in sorted(folder.glob("*/*.json")):
        try:
            found.append((path, _in_its_place(read_record(path), path)))
        except UserError as error:
            warnings.append(f"left out: {error}")
    return found, warnings


def read_run(path: Path, *, source: Source) -> LoadedRun:
    """One record with its verdict table; raises `UserError` naming the file that is damaged."""
    return _with_rows(read_record(path), path, source=source)


def read_record(path: Path) -> RunRecord:
    """One record alone; raises `UserError` naming the file if it is damaged or missing."""
    try:
        record = RunRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such record") from None
    except OSError as error:
        raise UserError(f"{path}: the record cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(
            f"{path}: corrupt record: {place + ': ' if place else ''}{first['msg']}"
        ) from None
    if record.schema_version != SCHEMA_VERSION:
        raise UserError(
            f"{path}: a record of version {record.schema_version}; version {SCHEMA_VERSION} is read"
        )
    return record


def _in_its_place(record: RunRecord, path: Path) -> RunRecord:
    """Of two records of one run a board shows one: a copy under another name would take the
    other's place, or vanish, without a word."""
    spec = record.spec
    wanted = f"{file_name(spec.method)}/{spec.seed}"
    if f"{path.parent.name}/{path.name.partition('.')[0]}" != wanted:
        raise UserError(
            f"{path}: the record of '{spec.method}', seed {spec.seed}, out of its place"
        )
    return record


def _with_rows(record: RunRecord, path: Path, *, source: Source) -> LoadedRun:
    if record.status != "done":
        return LoadedRun(record=record, rows=[], source=source, path=path)
    rows = read_verdicts(verdicts_path(path))
    # A run that is killed between writing the two leaves new verdicts beside an old record.
    if record.digests.get("verdicts") not in (None, verdicts_digest(rows)):
        raise UserError(
            f"{verdicts_path(path)}: not the verdicts that the record was made from; "
            "score the run again"
        )
    return LoadedRun(
        record=record,
        rows=rows,
        likelihoods=_rows_of(LIKELIHOODS, "likelihoods", likelihoods_path(path), record),
        matches=_rows_of(MATCHES, "matches", matches_path(path), record),
        source=source,
        path=path,
    )


def _rows_of(file: RowFile[RowT], name: str, path: Path, record: RunRecord) -> list[RowT]:
    """Those beside a record that says it has any, and what is their digest."""
    digest = record.digests.get(name)
    if digest is None:
        return []
    rows = file.read(path)
    if file.digest(rows) != digest:
        raise UserError(
            f"{path}: not the {file.name} that the record was made from; score the run again"
        )
    return rows


def write_rows(
    path: Path,
    verdicts: Sequence[VerdictRow],
    likelihoods: Sequence[LikelihoodRow],
    matches: Sequence[MatchRow],
) -> None:
    """The tables beside a record's file, which is to be written after them. One of another run, of
    which this one has no rows, goes."""
    write_verdicts(verdicts_path(path), verdicts)
    if likelihoods:
        LIKELIHOODS.write(likelihoods_path(path), likelihoods)
    else:
        likelihoods_path(path).unlink(missing_ok=True)
    if matches:
        MATCHES.write(matches_path(path), matches)
    else:
        matches_path(path).unlink(missing_ok=True)


def remove_rows(path: Path) -> None:
    """The tables beside a record's file that is gone."""
    for table in (verdicts_path(path), likelihoods_path(path), matches_path(path)):
        table.unlink(missing_ok=True)


def boards_in(folder: Path) -> list[tuple[str, str]]:
    """The (suite, model) pairs that have a folder of records, by their folders' names."""
    return sorted(
        (model.parent.name, model.name)
        for model in folder.glob("*/*")
        if any(model.glob("*/*.json"))
    )


def board_folder(records: Path, *, suite: str, model: str) -> Path:
    """Where the records of one board lie."""
    return records / file_name(suite) / file_name(model)


def _precedence(run: LoadedRun) -> tuple[bool, str]:
    return run.record.status == "done", run.record.ended_at
