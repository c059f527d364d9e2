"""YAML read strictly.

PyYAML reads YAML 1.1, where `1e-5` is text, `no` is False, `0123` is octal and a repeated key wins
silently. The loader here follows YAML 1.2's core types instead, with two differences: digits with a
leading zero stay text (nothing is lost), and `.nan` and `.inf` are not numbers.
"""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import yaml

from benchmark.core.errors import UserError

if TYPE_CHECKING:
    from pydantic import JsonValue as Json

# Of a setting or a card, its aliases spelt out.
MOST_VALUES = 100_000

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_SCALARS = (
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")),
    (
        "float",
        re.compile(
            r"^[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"
        ),
        list("-+.0123456789"),
    ),
)


class _StrictLoader(_BaseLoader):
    """The safe loader with YAML 1.2's scalars and without repeated keys."""

    yaml_implicit_resolvers: typing.ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        """A dict with text keys; a repeated or non-text key is a `UserError` with its line."""
        first_line: dict[str, int] = {}
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise UserError(f"line {line}: key {key!r} is not text; put it in quotes")
            if key in first_line:
                raise UserError(f"line {line}: key '{key}' again (first on line {first_line[key]})")
            first_line[key] = line
        return super().construct_mapping(node, deep=deep)


def _checked(pattern: re.Pattern[str], read: Callable[[str], Json]) -> Callable[..., Json]:
    """Reads a scalar that looks as it should; another, which only a tag can bring here, or a number
    that cannot be stored is a `UserError` with its line."""

    def construct(_loader: _StrictLoader, node: yaml.ScalarNode) -> Json:
        line, text = node.start_mark.line + 1, str(node.value)
        shown = text if len(text) <= 20 else f"{text[:17]}..."
        if not isinstance(node, yaml.ScalarNode) or not pattern.match(text):
            raise UserError(f"line {line}: {shown} is not what its tag says")
        try:
            value = read(text)
        # Python reads no integer of thousands of digits.
        except ValueError:
            value = math.inf
        if value == math.inf or value == -math.inf:
            raise UserError(f"line {line}: {shown} is too large a number")
        return value

    return construct


_READ: dict[str, Callable[[str], Json]] = {
    "null": lambda _text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": float,
}
# Dates, sets and binary data are no values of a setting; their tags are refused as unknown.
_StrictLoader.yaml_constructors = {
    tag: made
    for tag, made in _StrictLoader.yaml_constructors.items()
    if tag in (None, f"{_TAG}str", f"{_TAG}seq", f"{_TAG}map")
}
for _name, _pattern, _first in _SCALARS:
    _StrictLoader.add_implicit_resolver(f"{_TAG}{_name}", _pattern, _first)
    _StrictLoader.add_constructor(f"{_TAG}{_name}", _checked(_pattern, _READ[_name]))


def parse_yaml(text: str, *, where: str) -> Json:
    """The value that `text` writes down; what is not valid YAML is one line `where:line: ...`."""
    try:
        return _spelt_out(yaml.load(text, Loader=_StrictLoader))
    except UnicodeEncodeError:
        raise UserError(f"{where}: not text") from None
    except RecursionError:
        raise UserError(f"{where}: nested too deeply") from None
    except _HugeError as error:
        raise UserError(f"{where}: {error}") from None
    except UserError as error:
        line, _, rest = str(error).removeprefix("line ").partition(": ")
        raise UserError(f"{where}:{line}: {rest}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{where}{line}: not valid YAML: {problem}") from None


class _HugeError(Exception):
    """A few lines of YAML that stand for more values than anybody would write."""


def _spelt_out(value: Json) -> Json:
    """The value, every alias in it (`*name`) counted as what it stands for; one that holds itself
    or is huge is not a value."""
    _n_values(value, known={}, inside=set())
    return value


def _n_values(value: Json, *, known: dict[int, int], inside: set[int]) -> int:
    if not isinstance(value, dict | list):
        return 1
    if id(value) in inside:
        raise _HugeError("an alias stands for what it is part of")
    if id(value) not in known:
        parts = value.values() if isinstance(value, dict) else value
        within = inside | {id(value)}
        known[id(value)] = 1 + sum(_n_values(one, known=known, inside=within) for one in parts)
    if known[id(value)] > MOST_VALUES:
        raise _HugeError(f"more than {MOST_VALUES} values, its aliases spelt out")
    return known[id(value)]
