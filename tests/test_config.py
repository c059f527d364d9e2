"""Settings: YAML read strictly, overrides, dataclasses with one-line errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from benchmark.core.config import build, merge, parse_overrides, read_yaml, to_json
from benchmark.core.errors import UserError
from benchmark.core.strict_yaml import parse_yaml


@dataclass(frozen=True, kw_only=True)
class Weights:
    forget: Annotated[float, Field(ge=0)] = 0.5
    keep: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    beta: Annotated[float, Field(gt=0)] = 0.1
    steps: int = 100
    weights: Weights = Weights()
    layers: tuple[str, ...] = ("language",)
    trains: dict[str, str] = field(default_factory=lambda: {"language": "lora"})
    modality: Literal["text", "image"] = "text"
    note: str | None = None

    def __post_init__(self) -> None:
        if self.steps > 1000:
            raise ValueError("steps must be at most 1000")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-3", -3),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("0123", "0123"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        (".nan", ".nan"),
        ("~", None),
        ("", None),
        ("[1, a, 2.0]", [1, "a", 2.0]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_scalars_are_what_they_look_like(text, value):
    found = parse_yaml(text, where="x")
    assert found == value
    assert type(found) is type(value)


# YAML has no surrogate pairs and no control characters.
texts = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), max_codepoint=0xFFFF))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=10,
)  # fmt: skip


@given(json_values)
def test_json_reads_back_as_itself(value):
    assert parse_yaml(json.dumps(value, ensure_ascii=False), where="x") == value


@given(st.dictionaries(st.text(min_size=1), st.text() | st.integers()))
def test_what_yaml_writes_is_read_back(value):
    assert parse_yaml(yaml.safe_dump(value), where="x") == value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: key 'a' again (first on line 1)"),
        ("x: {k: 1, k: 2}", "f.yaml:1: key 'k' again (first on line 1)"),
        ("1: a", "f.yaml:1: key 1 is not text; put it in quotes"),
        ("a: [1", "f.yaml:2: not valid YAML: did not find expected ',' or ']'"),
        ("- a\n- b\n", "f.yaml: expected 'key: value' lines at the top, got a list"),
        ("", "f.yaml: expected 'key: value' lines at the top, got nothing"),
    ],
)
def test_a_bad_file_is_one_line_with_its_place(tmp_path, monkeypatch, text, line):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "f.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_yaml(path.relative_to(tmp_path))
    assert str(caught.value) == line


def test_a_file_that_is_not_text_or_not_there(tmp_path):
    path = tmp_path / "f.yaml"
    with pytest.raises(UserError, match="No such file"):
        read_yaml(path)
    path.write_bytes(b"a: \xff")
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_yaml(path)


def test_overrides_nest_by_dots():
    items = ["weights.keep=1e-4", "steps=5", "note=a=b", "layers=[x, y]"]
    assert parse_overrides(items) == {
        "weights": {"keep": 1e-4}, "steps": 5, "note": "a=b", "layers": ["x", "y"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("items", "line"),
    [
        (["steps"], "--set 'steps': expected key=value, such as --set steps=50"),
        (["=3"], "--set '=3': expected key=value, such as --set steps=50"),
        (["a..b=3"], "--set 'a..b=3': expected key=value, such as --set steps=50"),
        (["a=1", "a=2"], "--set 'a=2': 'a' is set twice"),
        (["a=1", "a.b=2"], "--set 'a.b=2': 'a' was already given a value"),
    ],
)
def test_bad_overrides_are_one_line(items, line):
    with pytest.raises(UserError) as caught:
        parse_overrides(items)
    assert str(caught.value) == line


def test_build_completes_nested_values_from_their_defaults():
    values = parse_overrides(["weights.keep=3", "trains.projector=full", "beta=1", "layers=[a]"])
    found = build(Settings, values, where="npo")
    assert found == Settings(
        weights=Weights(forget=0.5, keep=3.0), beta=1.0, layers=("a",),
        trains={"language": "lora", "projector": "full"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("items", "line"),
    [
        (["betta=1"], "npo: unknown field 'betta', did you mean 'beta'?"),
        (["weights.kep=1"], "npo: unknown field 'weights.kep', did you mean 'keep'?"),
        (["beta=-1"], "npo: beta = -1: should be greater than 0"),
        (["beta=small"], 'npo: beta = "small": should be a valid number'),
        (["steps=1.5"], "npo: steps = 1.5: should be a valid integer"),
        (["steps=true"], "npo: steps = true: should be a valid integer"),
        (["note=3"], "npo: note = 3: should be a valid string"),
        (["modality=audio"], "npo: modality = \"audio\": should be 'text' or 'image'"),
        (["weights=3"], "npo: weights = 3: should be an object"),
        (["steps=1001"], "npo: steps must be at most 1000"),
        (
            ["betta=1", "steps=no"],
            "npo: unknown field 'betta', did you mean 'beta'?; "
            'steps = "no": should be a valid integer',
        ),
    ],
)
def test_bad_settings_are_one_line_with_all_that_is_wrong(items, line):
    with pytest.raises(UserError) as caught:
        build(Settings, parse_overrides(items), where="npo")
    assert str(caught.value) == line


@given(
    st.builds(
        Settings,
        beta=st.floats(min_value=1e-9, max_value=1e9),
        steps=st.integers(min_value=0, max_value=1000),
        weights=st.builds(Weights, forget=st.floats(min_value=0, max_value=1e9)),
        layers=st.lists(st.text()).map(tuple),
        note=st.none() | st.text(),
    )
)
def test_settings_survive_json(settings):
    assert build(Settings, to_json(settings), where="x") == settings


@given(st.dictionaries(st.text(), json_values), st.dictionaries(st.text(), json_values))
def test_merge_keeps_what_is_above_and_all_keys(below, above):
    merged = merge(below, above)
    assert merged.keys() == below.keys() | above.keys()
    assert all(merged[key] == value for key, value in above.items() if not isinstance(value, dict))
    assert merge(below, {}) == below
