"""Settings chosen on the validation pool: written by the search, read by every later run.

They lie with the suite, one file per model and method, and hold every trial with its cost.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue, ValidationError

from benchmark.core.config import error_lines
from benchmark.core.errors import UserError
from benchmark.core.paths import file_name
from benchmark.core.records import Selection, Stored
from benchmark.core.store import REPOSITORY, write_atomic

FOLDER = REPOSITORY / "benchmark" / "suites" / "chosen"


class Trial(Stored):
    """One setting that was tried. `objective` is None when it failed or a figure is missing,
    `device_s` when it was lost on the way."""

    settings: dict[str, JsonValue]
    status: str
    error: str | None
    objective: float | None
    worst_asr: float | None
    text_asr: float | None
    image_asr: float | None
    device_s: float | None


class ChosenSettings(Stored):
    """The outcome of one search, and what it was made for. `budget` are the trials that the suite
    allows any method, which need not all be taken; older searches do not say."""

    row: str
    method_sha256: str
    model_sha256: str
    settings: dict[str, JsonValue]
    selection: Selection
    budget: int | None = None
    trials: list[Trial]


def settings_path(*, suite: str, model: str, method: str) -> Path:
    """Where the settings of one row on one model lie."""
    return FOLDER / suite / file_name(model) / f"{file_name(method)}.json"


def chosen_settings(*, suite: str, model: str, method: str) -> ChosenSettings | None:
    """What the search chose, or None where none was made. Raises `UserError` for a damaged file."""
    path = settings_path(suite=suite, model=model, method=method)
    if not path.exists():
        return None
    try:
        return ChosenSettings.model_validate_json(path.read_text())
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(error_lines(error, ChosenSettings))}") from None


def save_settings(chosen: ChosenSettings, *, suite: str, model: str, method: str) -> Path:
    """Write it where `chosen_settings` finds it."""
    path = settings_path(suite=suite, model=model, method=method)
    write_atomic(path, chosen.model_dump_json(indent=1) + "\n")
    return path
