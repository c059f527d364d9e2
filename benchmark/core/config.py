"""Settings: YAML files, overrides from the command line, frozen dataclasses made of both."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark.core.errors import UserError, nearest
from benchmark.core.strict_yaml import parse_yaml

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic import JsonValue as Json

    ModelT = TypeVar("ModelT", bound=BaseModel)

ConfigT = TypeVar("ConfigT")


def read_yaml(path: Path) -> dict[str, Json]:
    """The mapping in a YAML file; anything else in it, or no such file, is a `UserError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    value = parse_yaml(text, where=str(path))
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected 'key: value' lines at the top, got {_kind(value)}")
    return value


def read_described(
    path: Path, model: type[ModelT], *, below: Mapping[str, Json] | None = None
) -> ModelT:
    """A YAML file as a pydantic model, over what stands `below` it, a mapping over a mapping by its
    keys; all that is wrong in it is one `UserError` line."""
    from pydantic import ValidationError

    text = json.dumps(merge(below or {}, read_yaml(path)))
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(error_lines(error, model))}") from None


def check_called(path: Path, name: str) -> None:
    """Raise `UserError` for a file that names itself otherwise than it is called: its file's name
    is what a card is known by."""
    if name != path.stem:
        raise UserError(f"{path}: name is '{name}' but the file is called '{path.stem}'")


def parse_overrides(items: Iterable[str]) -> dict[str, Json]:
    """`["a.b=1e-4", "c=no"]` becomes `{"a": {"b": 0.0001}, "c": "no"}`."""
    result: dict[str, Json] = {}
    for item in items:
        dotted, equals, text = item.partition("=")
        keys = dotted.strip().split(".")
        if not equals or not all(keys):
            raise UserError(f"--set '{item}': expected key=value, such as --set steps=50")
        _place(result, keys, parse_yaml(text, where=f"--set '{item}'"), item=item)
    return result


def _place(target: dict[str, Json], keys: list[str], value: Json, *, item: str) -> None:
    for key in keys[:-1]:
        inner = target.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UserError(f"--set '{item}': '{key}' was already given a value")
        target = inner
    if keys[-1] in target:
        raise UserError(f"--set '{item}': '{'.'.join(keys)}' is set twice")
    target[keys[-1]] = value


def merge(below: Mapping[str, Json], above: Mapping[str, Json]) -> dict[str, Json]:
    """`above` laid over `below`, mappings inside mappings merged, everything else replaced."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = merge(old, value)
        result[key] = value
    return result


def build(config_type: type[ConfigT], values: Mapping[str, Json], *, where: str) -> ConfigT:
    """A frozen config with `values` over its defaults.

    Raises `UserError`: one line that begins with `where` and names every field that is unknown,
    of the wrong type or out of range, with the value given and what is allowed.
    """
    from pydantic import ValidationError

    assert dataclasses.is_dataclass(config_type), f"{config_type} is not a dataclass"
    problems = _unknown_fields(config_type, values, prefix="")
    known = {name: values[name] for name in values if name in _fields(config_type)}
    text = json.dumps(_over_defaults(config_type, known))
    try:
        config = _adapter(config_type).validate_json(text, strict=True)
    except ValidationError as error:
        problems += error_lines(error)
    if problems:
        raise UserError(f"{where}: {'; '.join(problems)}")
    return config


def to_json(config: object) -> dict[str, Json]:
    """A config as plain JSON values, to be stored, digested and built from again."""
    return _adapter(type(config)).dump_python(config, mode="json")


def error_lines(error: ValidationError, model: type[BaseModel] | None = None) -> list[str]:
    """One short phrase per wrong field; for an unknown one with the nearest of the fields that the
    model, or the one inside it, has in that place."""
    return [_phrase(each, model) for each in error.errors(include_url=False)]


def _fields_at(model: type[BaseModel], place: Iterable[int | str]) -> set[str]:
    """The names of the fields that may stand in a place: `messages`, 0, `content`."""
    here = [model]
    for part in place:
        # A number in a list and a key that one chooses lead no further.
        tagged = [one for one in here if _is_tagged(one, part)] if len(here) > 1 else []
        fields = [one.model_fields[part] for one in here if part in one.model_fields]
        inner = [found for field in fields for found in _models_in(field.annotation)]
        here = tagged or inner or here
    return {name for one in here for name in one.model_fields}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if hasattr(annotation, "model_fields"):
        return [annotation]
    return [one for argument in typing.get_args(annotation) for one in _models_in(argument)]


def _is_tagged(model: type[BaseModel], part: int | str) -> bool:
    """Is it the one of several that a word like `type: text` chooses?"""
    literals = (field.annotation for field in model.model_fields.values())
    return any(
        typing.get_origin(one) is typing.Literal and part in typing.get_args(one)
        for one in literals
    )


def _phrase(each: Mapping[str, Any], model: type[BaseModel] | None) -> str:
    field = ".".join(str(part) for part in each["loc"]) or "value"
    kind, given = each["type"], each["input"]
    if kind == "json_invalid":
        return f"not JSON: {each['ctx']['error']}"
    if kind in {"missing", "missing_argument"}:
        return f"{field}: missing"
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        *above, last = each["loc"]
        near = f", {nearest(str(last), _fields_at(model, above))}" if model else ""
        return f"{field}: unknown field{near}"
    allowed = each["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if kind == "value_error" and isinstance(given, dict):
        return f"{field}: {allowed}" if each["loc"] else allowed
    shown = json.dumps(given, default=str)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return f"{field} = {shown}: {allowed}"


def _adapter(config_type: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(config_type)


def _fields(config_type: Any) -> dict[str, Any]:
    """Field names to their resolved annotations."""
    hints = typing.get_type_hints(config_type, include_extras=True)
    return {f.name: hints[f.name] for f in dataclasses.fields(config_type) if f.init}


def _nested(annotation: Any) -> type | None:
    """The dataclass that an annotation allows, if there is one: `Weights`, `Weights | None`."""
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return annotation
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        found = (_nested(inner) for inner in typing.get_args(annotation))
        return next((each for each in found if each is not None), None)
    return None


def _unknown_fields(config_type: type, values: Mapping[str, Json], *, prefix: str) -> list[str]:
    fields = _fields(config_type)
    problems = []
    for name, value in values.items():
        if name not in fields:
            problems.append(f"unknown field '{prefix}{name}', {nearest(name, fields)}")
            continue
        inner = _nested(fields[name])
        if inner is not None and isinstance(value, dict):
            problems += _unknown_fields(inner, value, prefix=f"{prefix}{name}.")
    return problems


def _over_defaults(config_type: type, values: Mapping[str, Json]) -> dict[str, Json]:
    """Complete mappings from their field's default: `weights.keep=2` leaves the other weights."""
    result = dict(values)
    for field in dataclasses.fields(config_type):
        given = values.get(field.name)
        if not isinstance(given, dict):
            continue
        default = _default(field)
        if dataclasses.is_dataclass(default):
            known = {name: given[name] for name in given if name in _fields(type(default))}
            result[field.name] = merge(to_json(default), known)
        elif isinstance(default, dict):
            result[field.name] = merge(default, given)
    return result


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _kind(value: Json) -> str:
    names = {type(None): "nothing", list: "a list", str: "text", bool: "true or false"}
    return names.get(type(value), "a number")
