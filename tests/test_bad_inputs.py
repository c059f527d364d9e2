"""Whatever is wrong with an input, it is refused in one line that names it, or warned of by name.

Command lines, YAML cards and settings, data, pictures and weights stop a command with exit code 2;
a damaged record or verdict table leaves its row out of the board, and says so.
"""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from bad_inputs import (
    CARD,
    CHECKPOINTS,
    COMMAND_LINES,
    DAMAGED_YAML,
    PICTURES,
    RECORDS,
    ROWS,
    RUN,
    SUITE,
    TABLES,
    YAML,
    row,
)
from faults.damage import corrupt, truncate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from live_models import untrained_checkpoint
from PIL import Image
from pydantic import ValidationError

from benchmark.cli import main
from benchmark.core import registry
from benchmark.core.records import RunRecord
from benchmark.core.store import Results
from benchmark.progress import Reporter
from tests.run_records import SUITE as RECORDED_SUITE
from tests.run_records import record, store
from tests.verdict_rows import model_rows

# Drawn inputs are looked at in a folder of their own; the fixtures hold nothing that they change.
DRAWN = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])

Refuse = Callable[..., str]


@pytest.fixture(scope="module")
def tally() -> Counter[str]:
    """How many inputs of each kind were refused, or named in a warning."""
    return Counter()


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tally: Counter[str]) -> Refuse:
    """Run a command line that must be refused, and return the line that says why."""

    def check(kind: str, arguments: Sequence[str], *, names: str = "", code: int = 2) -> str:
        capsys.readouterr()
        assert main(list(arguments)) == code, arguments
        said = capsys.readouterr().err
        assert "Traceback" not in said, said
        lines = [line for line in said.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, said
        assert names in lines[0], (names, lines[0])
        tally[kind] += 1
        return lines[0]

    return check


# -- command lines ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(COMMAND_LINES)))
def test_a_command_line(refused: Refuse, number: int) -> None:
    arguments, names = COMMAND_LINES[number]
    refused("command lines", arguments, names=names)


def test_a_note_says_what_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Reporter().note("x[/y] on [red]m")
    assert capsys.readouterr().err == "x[/y] on [red]m\n"


words = st.text(min_size=1).filter(lambda text: text.strip(" ,") == text and "," not in text)


@DRAWN
@given(option=st.sampled_from(["method", "model", "suite"]), name=words)
def test_a_name_of_nothing(refused: Refuse, option: str, name: str) -> None:
    assume(name not in registry.entries(option) and not Path(name).exists())  # type: ignore[arg-type]
    given_ = {
        "method": "original",
        "suite": "testbed-safety",
        "model": "testbed-llava",
        option: name,
    }
    refused("command lines", ["run", *(f"--{key}={value}" for key, value in given_.items())])


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


@pytest.mark.parametrize("damage", DAMAGED_YAML)
@pytest.mark.parametrize("kind", YAML)
def test_yaml_that_is_none(refused: Refuse, tmp_path: Path, kind: str, damage: str) -> None:
    name, _, command = YAML[kind]
    path = tmp_path / name
    path.write_bytes(DAMAGED_YAML[damage])
    refused("YAML", command(str(path)), names=name)


@DRAWN
@given(data=st.data())
@pytest.mark.parametrize("kind", ["dataset", "model", "suite", "study"])
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


@pytest.mark.parametrize("damage", ROWS)
def test_a_row(refused: Refuse, pets: Path, damage: str) -> None:
    (pets.parent / "pets.jsonl").write_bytes(ROWS[damage])
    refused("data", ["doctor", "--dataset", str(pets)], names="pets")


@pytest.mark.parametrize("damage", PICTURES)
def test_a_picture(refused: Refuse, pets: Path, damage: str) -> None:
    path = pets.parent / "cat.png"
    path.write_bytes(PICTURES[damage](path.read_bytes()))
    refused("pictures", ["doctor", "--dataset", str(pets)], names=str(path))


@pytest.mark.parametrize("form", ["JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_picture_of_another_format_cut_short(refused: Refuse, pets: Path, form: str) -> None:
    path = pets.parent / "cat.png"
    content = io.BytesIO()
    Image.open(path).save(content, format=form)
    path.write_bytes(content.getvalue())
    truncate(path, at=0.4)
    refused("pictures", ["doctor", "--dataset", str(pets)], names=str(path))


# -- weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", CHECKPOINTS)
def test_a_checkpoint(refused: Refuse, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(untrained_checkpoint(), folder)
    CHECKPOINTS[damage](folder)
    asked = ["train", "--method", "original", "--suite", str(SUITE), "--device", "cpu"]
    refused("weights", [*asked, "--model", str(folder)], names=str(folder))


# -- records and verdict tables -----------------------------------------------------------------


@pytest.fixture
def damaged(
    capsys: pytest.CaptureFixture[str], results_folder: Path, tally: Counter[str]
) -> Callable[[Path], None]:
    """Make the boards, and see that the damaged file is named while the other row is there."""

    def check(path: Path) -> None:
        capsys.readouterr()
        assert main(["table"]) == 0
        said = capsys.readouterr()
        (line,) = said.err.splitlines()
        assert line.startswith("warning: left out: ") and str(path.parent) in line, said.err
        assert "original" in Path(said.out.splitlines()[0]).read_text()
        tally["records"] += 1

    return check


@pytest.fixture
def recorded(results_folder: Path) -> Path:
    """The record of a run with its verdicts, beside another's."""
    results, rows = Results(results_folder), model_rows(n=2)
    store(results, record("original", rows, reference=True), rows)
    return store(results, record("npo", rows), rows)


@pytest.mark.parametrize("damage", RECORDS)
def test_a_record(
    refused: Refuse, damaged: Callable[[Path], None], recorded: Path, damage: str
) -> None:
    recorded.write_bytes(RECORDS[damage](recorded.read_bytes()))
    damaged(recorded)
    refused("records", ["plot", "run", str(recorded)], names=str(recorded))


@DRAWN
@given(data=st.data())
def test_a_field_of_a_record(
    damaged: Callable[[Path], None], results_folder: Path, data: st.DataObject
) -> None:
    rows = model_rows(n=2)
    results = Results(results_folder)
    store(results, record("original", rows, reference=True), rows)
    path = store(results, record("npo", rows), rows)
    fields = json.loads(path.read_bytes())
    place = fields
    name = data.draw(st.sampled_from(sorted(place)))
    if isinstance(place[name], dict) and place[name] and data.draw(st.booleans()):
        place, name = place[name], data.draw(st.sampled_from(sorted(place[name])))
    place[name] = data.draw(st.sampled_from([[[None]], {"a": {"b": None}}, "\udcff", 1e400]))
    text = json.dumps(fields)
    try:
        RunRecord.model_validate_json(text)
    except ValidationError:
        path.write_text(text)
        damaged(path)


def test_a_folder_in_a_record_s_place(damaged: Callable[[Path], None], recorded: Path) -> None:
    recorded.unlink()
    recorded.mkdir()
    damaged(recorded)


@pytest.mark.parametrize("damage", TABLES)
def test_a_verdict_table(damaged: Callable[[Path], None], recorded: Path, damage: str) -> None:
    path = recorded.with_suffix(".verdicts.csv.gz")
    path.write_bytes(TABLES[damage](path.read_bytes()))
    damaged(path)


@pytest.mark.parametrize("seed", range(5))
def test_a_verdict_table_with_other_bytes(
    damaged: Callable[[Path], None], recorded: Path, seed: int
) -> None:
    path = recorded.with_suffix(".verdicts.csv.gz")
    corrupt(path, seed=seed)
    damaged(path)


def test_a_damaged_record_is_not_published(refused: Refuse, recorded: Path) -> None:
    truncate(recorded, at=0.5)
    refused("records", ["publish", "--method", "npo"], names=str(recorded))
    shutil.rmtree(recorded.parents[1] / "original")
    refused("records", ["publish", "--method", "all"], names=str(recorded))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}"])
def test_a_board_that_is_none(
    capsys: pytest.CaptureFixture[str], recorded: Path, results_folder: Path, content: bytes,
    tally: Counter[str],
) -> None:  # fmt: skip
    assert main(["publish", "--method", "original"]) == 0
    path = Results(results_folder).board(
        suite=RECORDED_SUITE, model="testbed-llava", suffix="json", published=True
    )
    path.write_bytes(content)
    capsys.readouterr()
    assert main(["table", "--check"]) == 1
    assert capsys.readouterr().err == f"{path}: not what the published records make\n"
    tally["records"] += 1


def test_there_were_enough_of_them(tally: Counter[str]) -> None:
    """Of this file as a whole: what others refused is counted, not what this one asks."""
    told = ", ".join(f"{kind} {n}" for kind, n in tally.items())
    n = tally.total()
    print(f"{n} bad inputs ({told}): {n} named in one line, 0 tracebacks, 0 silent drops")
    assert n >= 150
