"""Where durability records lie, and how they are read back."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from pydantic import ValidationError

from benchmark.core.config import error_lines
from benchmark.core.durability_records import DurabilityRecord
from benchmark.core.errors import UserError
from benchmark.core.paths import file_name
from benchmark.core.store import Results, write_atomic

NAME = "durability"
TAKE_BACK = "take it back from git, or publish it anew"


def folder_of(results: Results, *, suite: str, model: str) -> Path:
    """All records of a model on a suite that were made here, and the page, table and pictures made
    of them."""
    return results.root / "local" / NAME / file_name(suite) / file_name(model)


def published_folder(results: Results) -> Path:
    """All committed ones, by suite and model."""
    return results.published_records / NAME


def record_path(results: Results, record: DurabilityRecord) -> Path:
    """One file per method, seed, limit and treatment: a limited one never takes a full one's
    place."""
    return path_of(
        results, suite=record.suite, model=record.model, method=record.method, seed=record.seed,
        limit=record.limit, treatment=record.treatment,
    )  # fmt: skip


def path_of(
    results: Results,
    *,
    suite: str,
    model: str,
    method: str,
    seed: int,
    limit: int | None,
    treatment: str,
) -> Path:
    """The same by what was asked for."""
    asked = f"{seed}" if limit is None else f"{seed}.limit-{limit}"
    folder = folder_of(results, suite=suite, model=model) / file_name(method)
    return folder / f"{asked}.{file_name(treatment)}.json"


def published_path(results: Results, record: DurabilityRecord) -> Path:
    """The committed record, compressed: the rate of every behaviour at every step is long."""
    folder = published_folder(results) / file_name(record.suite) / file_name(record.model)
    return (
        folder / file_name(record.method) / f"{record.seed}.{file_name(record.treatment)}.json.gz"
    )


def write_published(path: Path, record: DurabilityRecord) -> None:
    """The same record is the same bytes."""
    text = record.model_dump_json(indent=1) + "\n"
    write_atomic(path, gzip.compress(text.encode(), mtime=0))


def read_published(path: Path) -> DurabilityRecord:
    """Raises `UserError` naming the file and what is wrong in it."""
    try:
        text = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: corrupt record: {error}; {TAKE_BACK}") from None
    return _record(path, text, remedy=TAKE_BACK)


def read(path: Path) -> DurabilityRecord:
    """Raises `UserError` naming the file and what is wrong in it."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such record") from None
    return _record(path, text, remedy="delete it and run the same command again")


def _record(path: Path, text: bytes, *, remedy: str) -> DurabilityRecord:
    try:
        return DurabilityRecord.model_validate_json(text)
    except ValidationError as error:
        problem = "; ".join(error_lines(error, DurabilityRecord))
        raise UserError(f"{path}: {problem}; {remedy}") from None
