"""Where durability records lie, and how they are read back."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from benchmark.core.config import error_lines
from benchmark.core.durability_records import DurabilityRecord
from benchmark.core.errors import UserError
from benchmark.core.paths import file_name
from benchmark.core.store import Results


def folder_of(results: Results, *, suite: str, model: str) -> Path:
    """All records of a model on a suite, and the page, table and pictures made of them."""
    return results.root / "local" / "durability" / file_name(suite) / file_name(model)


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


def read(path: Path) -> DurabilityRecord:
    """Raises `UserError` naming the file and what is wrong in it."""
    remedy = "delete it and run the same command again"
    try:
        return DurabilityRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such record") from None
    except ValidationError as error:
        problem = "; ".join(error_lines(error, DurabilityRecord))
        raise UserError(f"{path}: {problem}; {remedy}") from None
