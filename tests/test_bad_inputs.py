"""Whatever is wrong with an input, it stops a command with exit code 2 and one line that names it.

Command lines, YAML cards and settings, data, pictures and weights. Of each kind one that nobody
damaged is taken by the same command: what is refused is the damage.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from bad_inputs import (
    CARD,
    CHECKPOINTS,
    COMMAND_LINES,
    DAMAGED_YAML,
    ON_MODEL,
    ON_SUITE,
    PICTURES,
    ROWS,
    RUN,
    TRAIN,
    YAML,
    row,
)
from faults.damage import truncate
from faults.tally import Refuse, Take, Tally
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from live_models import untrained_checkpoint
from PIL import Image

from benchmark.core import registry
from benchmark.progress import Reporter
from benchmark.studies import load_study

# Drawn inputs are looked at in a folder of their own; the fixtures hold nothing that they change.
DRAWN = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


# -- command lines ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(COMMAND_LINES)))
def test_a_command_line(refused: Refuse, number: int) -> None:
    arguments, names = COMMAND_LINES[number]
    refused("command lines", arguments, names=names)


def test_a_command_line_without_a_fault(taken: Take, tmp_path: Path) -> None:
    options = {
        "seeds": "0,1", "limit": "1", "jobs": "1", "checkpoint-every": "1",
        "results": str(tmp_path / "r"),
    }  # fmt: skip
    given_ = [f"--{name}={value}" for name, value in options.items()]
    taken([*TRAIN, *ON_SUITE, *ON_MODEL, *given_])


def test_a_note_says_what_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Reporter().note("x[/y] on [red]m")
    assert capsys.readouterr().err == "x[/y] on [red]m\n"


words = st.text(min_size=1).filter(lambda text: text.strip(" ,") == text and "," not in text)


@DRAWN
@given(option=st.sampled_from(["method", "model", "suite"]), name=words)
def test_a_name_of_nothing(refused: Refuse, option: str, name: str) -> None:
    assume(name not in registry.entries(option) and not Path(name).exists())  # type: ignore[arg-type]
    known = {"method": "original", "suite": "testbed-safety", "model": "testbed-llava"}
    given_ = [f"--{key}={value}" for key, value in (known | {option: name}).items()]
    # What is not to be printed is escaped.
    names = name if name.isprintable() else option
    refused("command lines", ["run", *given_], names=names)


@DRAWN
@given(
    option=st.sampled_from(["seeds", "limit", "jobs"]),
    text=st.text(min_size=1).filter(lambda text: not any(map(str.isdigit, text))),
)
def test_a_number_that_is_none(refused: Refuse, option: str, text: str) -> None:
    refused("command lines", [*RUN, f"--{option}={text}"], names=f"--{option}")


@DRAWN
@given(
    option=st.sampled_from(["--method", "--model", "--seeds", "--results", "--checkpoint-every"]),
    at=st.integers(2, 8),
)
def test_a_misspelt_option_names_its_nearest(refused: Refuse, option: str, at: int) -> None:
    wrong = option[:at] + option[at + 1 :]
    assume(wrong != option)
    refused("command lines", [*RUN, wrong, "1"], names=f"did you mean '{option}'")


# -- YAML ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", YAML)
def test_yaml_without_a_fault(taken: Take, pets: Path, kind: str) -> None:
    name, text, command = YAML[kind]
    path = pets.parent / name
    path.write_text(text)
    if kind == "study":
        # To run it takes minutes.
        assert load_study(str(path)).name == "loss_terms"
    else:
        taken(command(str(path)))


@pytest.mark.parametrize("damage", DAMAGED_YAML)
@pytest.mark.parametrize("kind", YAML)
def test_yaml_that_is_none(refused: Refuse, tmp_path: Path, kind: str, damage: str) -> None:
    name, _, command = YAML[kind]
    path = tmp_path / name
    path.write_bytes(DAMAGED_YAML[damage])
    refused("YAML", command(str(path)), names=name)


@DRAWN
@given(data=st.data())
@pytest.mark.parametrize("kind", ["dataset", "model", "suite", "study", "preset"])
def test_a_field_of_the_wrong_type_or_name(
    refused: Refuse, tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    name, text, command = YAML[kind]
    fields = yaml.safe_load(text)
    field = data.draw(st.sampled_from(sorted(fields)))
    if data.draw(st.booleans()):
        fields[field] = [[None]]
    else:
        fields[f"{field}x"] = fields.pop(field)
    path = tmp_path / name
    path.write_text(yaml.safe_dump(fields))
    line = refused("YAML", command(str(path)), names=name)
    assert field in line


# -- data and pictures --------------------------------------------------------------------------


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A data set of one row with a picture."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.png")
    (tmp_path / "pets.jsonl").write_bytes(row())
    (tmp_path / "pets.yaml").write_text(CARD)
    return tmp_path / "pets.yaml"


def test_a_row_with_a_picture_without_a_fault(taken: Take, pets: Path) -> None:
    taken(["doctor", "--dataset", str(pets)])


@pytest.mark.parametrize("damage", ROWS)
def test_a_row(refused: Refuse, pets: Path, damage: str) -> None:
    content, names = ROWS[damage]
    (pets.parent / "pets.jsonl").write_bytes(content)
    refused("data", ["doctor", "--dataset", str(pets)], names=names)


@pytest.mark.parametrize("damage", PICTURES)
def test_a_picture(refused: Refuse, pets: Path, damage: str) -> None:
    path = pets.parent / "cat.png"
    path.write_bytes(PICTURES[damage](path.read_bytes()))
    refused("pictures", ["doctor", "--dataset", str(pets)], names=str(path))


@pytest.mark.parametrize("form", ["JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_picture_of_another_format_cut_short(
    taken: Take, refused: Refuse, pets: Path, form: str
) -> None:
    path = pets.parent / "cat.png"
    content = io.BytesIO()
    Image.open(path).save(content, format=form)
    path.write_bytes(content.getvalue())
    taken(["doctor", "--dataset", str(pets)])
    truncate(path, at=0.4)
    refused("pictures", ["doctor", "--dataset", str(pets)], names=str(path))


# -- weights ------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of the test's own."""
    return Path(shutil.copytree(untrained_checkpoint(), tmp_path / "model"))


def test_a_checkpoint_without_a_fault(taken: Take, checkpoint: Path) -> None:
    taken([*TRAIN, *ON_SUITE, "--model", str(checkpoint)])


@pytest.mark.parametrize("damage", CHECKPOINTS)
def test_a_checkpoint(refused: Refuse, checkpoint: Path, damage: str) -> None:
    CHECKPOINTS[damage](checkpoint)
    refused("weights", [*TRAIN, *ON_SUITE, "--model", str(checkpoint)], names=str(checkpoint))


def test_there_were_enough_of_them(tally: Tally) -> None:
    """Of this file as a whole: what the other tests counted."""
    tally.check_all(at_least=150)
