"""Settings chosen on the validation pool: written by the search, read by every later run.

They lie with the suite, one file per model and method, and hold every trial with its cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, JsonValue, ValidationError

from benchmark.core.config import error_lines
from benchmark.core.errors import UserError
from benchmark.core.paths import file_name
from benchmark.core.records import Selection, Stored
from benchmark.core.rows import as_typed, flat
from benchmark.core.store import REPOSITORY, write_atomic
from benchmark.models import ModelCard, load_card
from benchmark.suites import Suite, load_suite

FOLDER = REPOSITORY / "benchmark" / "suites" / "chosen"


class Trial(Stored):
    """One setting that was tried. `objective` is None when it failed or a figure is missing,
    `device_s` when it was lost on the way; `left` is what is still known of persons to be
    forgotten, where a suite asks about such."""

    settings: dict[str, JsonValue]
    status: str
    error: str | None
    objective: float | None
    worst_asr: float | None
    text_asr: float | None
    image_asr: float | None
    device_s: float | None
    left: float | None = Field(default=None, exclude_if=lambda left: left is None)


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


def settings_words(
    chosen: ChosenSettings,
    *,
    preset: Mapping[str, JsonValue],
    typed: Mapping[str, JsonValue],
    here: bool,
) -> str:
    """In words, which of the settings chosen for another row are left under those of a preset and
    those that were typed. `here`: it is the model here that answers, for which they were chosen."""
    source = f"those chosen for '{chosen.row}'" + ("" if here else " on the local model")
    above, all_chosen = {**flat(preset), **flat(typed)}, flat(chosen.settings)
    left = {key: value for key, value in all_chosen.items() if key not in above}
    if len(left) == len(all_chosen) and not preset:
        return f"settings are {source}"
    sources = ["those typed"] if typed else []
    told = " and ".join([*sources, "the preset's"] if preset else sources)
    if not left:
        return f"settings are {told}, which leave none of {source}"
    named = ", ".join(f"{key}={as_typed(value)}" for key, value in sorted(left.items()))
    return f"settings are {told}, and {source} where they say nothing: {named}"


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


def settings_for(
    names: Sequence[str | None], *, suite: Suite, model: ModelCard
) -> ChosenSettings | None:
    """Settings chosen on validation for the first of these rows and methods that has any, in this
    suite or the one that it takes them from; None for none.

    Raises `UserError` for a file that does not hold such settings.
    """
    searched, name = suite.settings_from or suite.name, _same_weights(suite, model)
    for method in filter(None, names):
        chosen = chosen_settings(suite=searched, model=name, method=method)
        if chosen is not None:
            return chosen
    return None


def _same_weights(suite: Suite, model: ModelCard) -> str:
    """The name under which the model's settings were chosen: where they are another suite's, that
    of the target there that is the same checkpoint under another card."""
    targets = load_suite(suite.settings_from).targets if suite.settings_from else ()
    same = [name for name in targets if load_card(name).source == model.source]
    return model.name if model.name in targets or not same else same[0]


def save_settings(chosen: ChosenSettings, *, suite: str, model: str, method: str) -> Path:
    """Write it where `chosen_settings` finds it."""
    path = settings_path(suite=suite, model=model, method=method)
    write_atomic(path, chosen.model_dump_json(indent=1) + "\n")
    return path
