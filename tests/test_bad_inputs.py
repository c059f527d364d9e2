"""Whatever is wrong with an input, it is refused in one line that names it, or warned of by name.

Command lines, YAML cards and settings, data, pictures and weights stop a command with exit code 2;
a damaged record or verdict table leaves its row out of the board, and says so.
"""

from __future__ import annotations

import gzip
import io
import json
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from faults.damage import corrupt, truncate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from live_models import untrained_checkpoint
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from benchmark.cli import main
from benchmark.core import registry
from benchmark.core.records import RunRecord
from benchmark.core.store import Results
from tests.run_records import SUITE as RECORDED_SUITE
from tests.run_records import record, store
from tests.verdict_rows import model_rows

ROOT = Path(__file__).resolve().parents[1]
SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"
LONG = "a" * 300
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

RUN = ["run", "--method", "original"]
COMMAND_LINES = [
    (["lst"], "'lst'"), (["run"], "--method"), (["run", "--metod", "x"], "'--metod'"),
    (["run", "--method", ""], "--method"), (["run", "--method", ","], "--method"),
    (["run", "--method", "a\nb"], r"a\nb"), (["run", "--method", "\udcff"], r"\udcff"),
    (["run", "--method", LONG], LONG), (["run", "--method", "npo+steps"], "steps"),
    (["run", "--method", "npo+steps=1+steps=2"], "=2"), (["run", "--method", "x/y.py"], "y.py"),
    ([*RUN, "--model", ""], "--model"), ([*RUN, "--model", LONG], LONG),
    ([*RUN, "--model", f"/{LONG}"], LONG), ([*RUN, "--model", "/"], "/"),
    ([*RUN, "--model", "~nobody_here/x"], "~nobody_here"), ([*RUN, "--model", "\udcff/"], "udcff"),
    ([*RUN, "--model", "/dev/null"], "/dev/null"), ([*RUN, "--model", "x.yaml"], "x.yaml"),
    ([*RUN, "--suite", ""], "suite"), ([*RUN, "--suite", f"{LONG}.yaml"], LONG),
    ([*RUN, "--suite", "~nobody_here/x.yaml"], "~nobody_here"),
    ([*RUN, "--suite", "testbed-safty"], "'testbed-safety'"),
    ([*RUN, "--seeds", "1234567"], "`--seeds 1234567,`"), ([*RUN, "--seeds", "\u0663"], "\u0663"),
    ([*RUN, "--seeds", "1,1"], "twice"), ([*RUN, "--seeds", "-1"], "-1"),
    ([*RUN, "--limit", "0"], "--limit"), ([*RUN, "--limit", "inf"], "--limit"),
    ([*RUN, "--jobs", "0"], "--jobs"), ([*RUN, "--checkpoint-every", "-1"], "--checkpoint-every"),
    ([*RUN, "--checkpoint-every", "nan"], "--checkpoint-every"),
    ([*RUN, "--set", "=1"], "=1"), ([*RUN, "--set", "a..b=1"], "a..b=1"),
    ([*RUN, "--set", "a=1", "--set", "a=2"], "a=2"), ([*RUN, "--set", "a=[1"], "a=[1"),
    ([*RUN, "--set", "a=!!python/name:os.system"], "python/name"),
    ([*RUN, "--set", "a=!!int x"], "x"), ([*RUN, "--set", "a=!!bool 2"], "2"),
    ([*RUN, "--set", "a=!!binary aaaa"], "binary"), ([*RUN, "--set", "a=!!set {x}"], "set"),
    ([*RUN, "--set", "a=\udcff"], "udcff"), ([*RUN, "--set", "a=\x07"], "x07"),
    ([*RUN, "--set", f"a={'9' * 5000}"], "too large"), ([*RUN, "--set", "a=1e999"], "1e999"),
    ([*RUN, "--set", "a=&x [*x]"], "alias"),
    ([*RUN, "--set", f"a={'[' * 3000}{']' * 3000}"], "deep"),
    ([*RUN, "--config", "no.yaml"], "no.yaml"), ([*RUN, "--config", "/"], "/"),
    ([*RUN, "--config", LONG], LONG), ([*RUN, "--results", "/dev/null"], "/dev/null"),
    ([*RUN, "--results", "~nobody_here/r"], "~nobody_here"), ([*RUN, "extra"], "extra"),
    ([*RUN, "--results", f"/{LONG}"], LONG), (["list", "pets"], "'pets'"),
    (["check", "method", "nope"], "'nope'"), (["check", "metod", "npo"], "'metod'"),
    (["study", "nope"], "'nope'"), (["study", f"{LONG}.yaml"], LONG), (["publish"], "--method"),
    (["publish", "--method", "npo"], "'npo'"), (["publish", "--method", LONG], LONG),
    (["publish", "--method", "npo", "--seeds", "x"], "'x'"),
    (["publish", "--method", "npo", "--seeds", "5,"], "5.json"),
    (["publish", "--method", "all", "--model", LONG], LONG),
    (["plot", "run", "nope"], "'nope'"), (["plot", "run", LONG], LONG),
    (["plot", "run", f"{LONG}.json"], LONG), (["plot", "run", "no.json"], "no.json"),
    (["plot", "run", "npo", "--seed", "-1"], "--seed"), (["plot", "run", "/"], "'/'"),
    (["plot", "gate", "--method", "cagul,npo"], "cagul,npo"),
    (["new-method", ""], "''"), (["new-method", "class"], "class"), (["new-method", "npo"], "npo"),
    (["new-method", "x", "--to", "/nope"], "/nope"),
    (["new-method", "x", "--to", "~nobody_here/"], "~nobody_here"),
    (["testbed", "--variant", "nope"], "'nope'"), (["doctor", "--model", LONG], LONG),
    (["doctor", "--model", "nope"], "'nope'"), (["search", "--method", "nope"], "'nope'"),
    (["table", "--chek"], "'--check'"), (["doctor", "--results", "~nobody_here"], "~nobody_here"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(COMMAND_LINES)))
def test_a_command_line(refused: Refuse, number: int) -> None:
    arguments, names = COMMAND_LINES[number]
    refused("command lines", arguments, names=names)


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

CARD = """
name: pets
title: Questions about pets
roles: [utility]
licence: CC0-1.0
source: {kind: jsonl}
columns: {prompt: q, answer: a, image: img, key: n}
splits:
  test: {file: pets.jsonl, expected: 1}
metric: contains
"""
STUDY = ROOT / "benchmark" / "studies" / "loss_terms.yaml"
MODEL = ROOT / "benchmark" / "models" / "testbed-llava.yaml"
# Which file, what it is valid as, and the command that reads it.
YAML: dict[str, tuple[str, str, Callable[[str], list[str]]]] = {
    "dataset": ("pets.yaml", CARD, lambda path: ["doctor", "--dataset", path]),
    "model": ("testbed-llava.yaml", MODEL.read_text(), lambda path: [*RUN, "--model", path]),
    "suite": (
        "small-safety.yaml", SUITE.read_text(),
        lambda path: [*RUN, "--suite", path, "--model", "testbed-llava"],
    ),
    "study": ("loss_terms.yaml", STUDY.read_text(), lambda path: ["study", path]),
    "config": ("c.yaml", "steps: 5\n", lambda path: [*RUN, "--config", path]),
}  # fmt: skip
LAUGHS = "".join(
    f"{a}: &{a} [{', '.join([f'*{b}'] * 9)}]\n" for a, b in zip("bcdefghi", "abcdefgh", strict=True)
)
DAMAGED_YAML = {
    "empty": b"",
    "a list": b"- a\n- b\n",
    "not text": b"title: \xff\xfe\n",
    "a control character": b"title: \x00\n",
    "a key twice": b"\nname: again\nname: again\n",
    "an unclosed list": b"\nlist: [1, 2\n",
    "a number as key": b"1: one\n",
    "a tag of Python's": b"title: !!python/object/apply:os.getcwd []\n",
    "an alias inside itself": b"title: &x [*x]\n",
    "an alias of nothing": b"title: *nothing\n",
    "a billion laughs": b"a: &a [x, x, x, x, x, x, x, x, x]\n" + LAUGHS.encode(),
}


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


def _row(**changes: Any) -> bytes:
    return json.dumps({"q": "x", "a": "b", "img": "cat.png", "n": 1} | changes).encode() + b"\n"


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A data set of one row with a picture."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.png")
    (tmp_path / "pets.jsonl").write_bytes(_row())
    (tmp_path / "pets.yaml").write_text(CARD)
    return tmp_path / "pets.yaml"


ROWS = {
    "no row": b"", "a list": b"[1]\n", "cut": _row()[:20], "not text": b"\xff\xfe\n",
    "deep": b'{"q": ' + b"[" * 100_000, "a huge number": b'{"q": ' + b"9" * 5000 + b"}\n",
    "NaN": _row(q=float("nan")), "infinite": _row(q=float("inf")), "null": _row(q=None),
    "true": _row(q=True), "an object": _row(q={}), "half a character": _row(q="\ud800"),
    "half a character in a list": _row(a=["\udfff"]), "numbers in a list": _row(a=[1]),
    "a column too few": b'{"q": "x"}\n', "two rows for one": _row() * 2,
    "a picture that is a folder": _row(img="."), "a picture with a NUL": _row(img="a\0b"),
    "a picture with a long name": _row(img=LONG),
}  # fmt: skip


@pytest.mark.parametrize("damage", ROWS)
def test_a_row(refused: Refuse, pets: Path, damage: str) -> None:
    (pets.parent / "pets.jsonl").write_bytes(ROWS[damage])
    refused("data", ["doctor", "--dataset", str(pets)], names="pets")


def _with_size(png: bytes, width: int, height: int) -> bytes:
    """The same picture with a header that claims another size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        png[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + png[33:]
    )


PICTURES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda png: b"",
    "text": lambda png: b"not a picture",
    "a header alone": lambda png: png[:33],
    "of billions of pixels": lambda png: _with_size(png, 60_000, 60_000),
    "wider than anything": lambda png: _with_size(png, 2**31 - 1, 1),
    "without pixels": lambda png: _with_size(png, 0, 0),
} | {
    f"cut at {part}": lambda png, part=part: png[: int(part * len(png))] for part in (0.1, 0.5, 0.9)
}  # type: ignore[misc]


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

WEIGHTS = "model.safetensors"


def _tensors(change: Callable[[dict[str, torch.Tensor], str], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors, max(tensors))
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})

    return damage


def _bytes(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def _config(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        fields = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(fields | changes))

    return damage


CHECKPOINTS: dict[str, Callable[[Path], None]] = {
    "weights cut": lambda folder: truncate(folder / WEIGHTS, at=0.9),
    "weights cut in the header": lambda folder: truncate(folder / WEIGHTS, at=5),
    "weights empty": _bytes(WEIGHTS, b""),
    "weights of text": _bytes(WEIGHTS, b"no weights at all" * 99),
    "weights not there": lambda folder: (folder / WEIGHTS).unlink(),
    "a pickle for weights": lambda folder: torch.save({"a": torch.ones(2)}, folder / WEIGHTS),
    "a tensor too few": _tensors(lambda tensors, last: tensors.pop(last)),
    "a tensor too many": _tensors(lambda tensors, _: tensors.update(more=torch.ones(2))),
    "a tensor of another shape": _tensors(lambda t, last: t.update({last: torch.ones(3, 3)})),
    "a tensor that is NaN": _tensors(lambda t, last: t.update({last: t[last] * torch.nan})),
    "settings that are a list": _bytes("config.json", b"[]"),
    "settings cut": _bytes("config.json", b'{"model_type": '),
    "settings of bytes": _bytes("config.json", b"\xff\xfe"),
    "another family": _config(model_type=["llava"]),
    "no words": _config(text_config=None),
    "a word for a number of words": _config(text_config={"vocab_size": "many"}),
    "eyes of nobody": _config(vision_config={"model_type": "nobody"}),
    "tokenizer cut": lambda folder: truncate(folder / "tokenizer.json", at=0.5),
    "tokenizer's settings a list": _bytes("tokenizer_config.json", b"[]"),
    "no processor": lambda folder: (folder / "processor_config.json").unlink(),
    "a training record of bytes": _bytes("training_record.json", b"\xff\xfe"),
}


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


def _in(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new)

    return change


RECORDS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "null": lambda whole: b"null",
    "bytes": lambda whole: bytes(range(256)),
    "cut": lambda whole: whole[: len(whole) // 2],
    "deep": lambda whole: b"[" * 100_000,
    "of another encoding": lambda whole: whole.decode().encode("utf-16"),
    "of another version": _in(b'"schema_version":1', b'"schema_version":2'),
    "of another seed": _in(b'"seed":0', b'"seed":5'),
    "of another method": _in(b'"method":"npo"', b'"method":"original"'),
    "with NaN": _in(b'"seed":0', b'"seed":NaN'),
    "with half a character": _in(b'"method":"npo"', b'"method":"\\ud800"'),
}


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


def _text(change: Callable[[list[str]], list[str]]) -> Callable[[bytes], bytes]:
    """A change to the lines of a verdict table."""

    def changed(packed: bytes) -> bytes:
        lines = gzip.decompress(packed).decode().splitlines()
        return gzip.compress("".join(f"{line}\n" for line in change(lines)).encode())

    return changed


TABLES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda packed: b"",
    "cut": lambda packed: packed[:40],
    "not packed": gzip.decompress,
    "packed bytes": lambda packed: gzip.compress(b"\xff\xfe"),
    "followed by something": lambda packed: packed + b"more",
    "without a header": _text(lambda lines: lines[1:]),
    "its header alone": _text(lambda lines: lines[:1]),
    "rows gone": _text(lambda lines: lines[:-3]),
    "a longer row": _text(lambda lines: [*lines, f"{lines[1]},x"]),
    "a shorter row": _text(lambda lines: [*lines, "a,b"]),
    "an unclosed quote": _text(lambda lines: [*lines, '"unclosed']),
    "a huge field": _text(lambda lines: [*lines, "a" * 200_000]),
    "an unknown label": _text(lambda lines: [line.replace("complied", "nan") for line in lines]),
    "other labels": _text(lambda lines: [line.replace("complied", "refused") for line in lines]),
}


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
