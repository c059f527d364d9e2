"""Names of rows: a method, and what was set differently in it: `textual_unlearning+ascent=bounded`.

A method under other settings is another row. The name can be typed wherever a method's can. What
stands behind an @ cannot: how settings were chosen (`npo@defaults`), or by which preset
(`npo@qlora-24gb`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmark.core.config import parse_overrides

if TYPE_CHECKING:
    from pydantic import JsonValue

BASE = "original"
"""The untouched model's row: what every other is compared with."""


DEFAULTS = "defaults"
"""Behind the @ of a row that was run with its method's own settings, where others were chosen."""


def marked(row: str, *marks: str | None) -> str:
    """The row with what its settings come from, such as a preset's name; None is none."""
    return "@".join([row, *filter(None, marks)])


def bases_of(row: str) -> tuple[str, ...]:
    """The untouched model's rows that a row can be compared with, the nearest first: the one under
    the same preset, which may have set its precision, else the plain one."""
    mark = row.rpartition("@")[2] if "@" in row else DEFAULTS
    return (BASE,) if mark == DEFAULTS else (marked(BASE, mark), BASE)


def split_row(name: str) -> tuple[str, dict[str, JsonValue]]:
    """The method and its settings. Raises `UserError` for a setting that is not key=value."""
    method, *settings = name.split("+")
    return method, parse_overrides(settings)


def row_name(method: str, overrides: Mapping[str, JsonValue]) -> str:
    """The method's name with what is set, in the order of its keys."""
    return "+".join([method, *sorted(f"{key}={as_typed(v)}" for key, v in flat(overrides).items())])


def flat(settings: Mapping[str, JsonValue], prefix: str = "") -> dict[str, JsonValue]:
    """`{"weights": {"harm": 0}}` as `{"weights.harm": 0}`."""
    found: dict[str, JsonValue] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def as_typed(value: JsonValue) -> str:
    """A setting's value as one types it: `null`, `true`, `0.25`."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
