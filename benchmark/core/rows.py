"""Names of rows: a method, and what was set differently in it: `textual_unlearning+ascent=bounded`.

A method under other settings is another row. The name can be typed wherever a method's can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from benchmark.core.config import parse_overrides

if TYPE_CHECKING:
    from pydantic import JsonValue

BASE = "original"
"""The untouched model's row: what every other is compared with."""


def split_row(name: str) -> tuple[str, dict[str, JsonValue]]:
    """The method and its settings. Raises `UserError` for a setting that is not key=value."""
    method, *settings = name.split("+")
    return method, parse_overrides(settings)


def row_name(method: str, overrides: Mapping[str, JsonValue]) -> str:
    """The method's name with what is set, in the order of its keys."""
    return "+".join([method, *sorted(_settings(overrides))])


def _settings(overrides: Mapping[str, JsonValue], prefix: str = "") -> Iterator[str]:
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={_plain(value)}"


def _plain(value: JsonValue) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
