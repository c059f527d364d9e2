"""Pictures: the same data are the same bytes, and a file says of which data it is."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from run_records import record, store

from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.core.records import TrainingLog
from benchmark.core.store import Results
from benchmark.tables.figures.canvas import is_of, picture_bytes, write_picture
from benchmark.tables.figures.curves import LossCurves, curves_of
from benchmark.tables.figures.dots import Dot, DotRow, Dots
from benchmark.tables.figures.heat_map import HeatMap, MapRow

MAP = HeatMap(
    title="T", caption="c", columns=("direct", "icon"),
    rows=(
        MapRow(group="a", label="text", values=(0.25, "n/a")),
        MapRow(group="b", label="", values=(1.0, 0.0), remark="fails: twins", broken=True),
    ),
)  # fmt: skip
DOTS = Dots(
    title="T", caption="c", series=("text", "image"),
    rows=(DotRow(label="x", dots=(Dot(value=0.5, low=0.4, high=0.6), None)),),
)  # fmt: skip
CURVES = LossCurves(
    title="T", caption="c", curves=curves_of({"a": [(0, 1.0), (1, 0.5)], "total": [(0, 1.0)]})
)


def test_the_same_data_are_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib; from test_figures import *; "
        "print(*(hashlib.sha256(picture_bytes(one)).hexdigest() for one in (MAP, DOTS, CURVES)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    assert done.returncode == 0, done.stderr
    drawn = [hashlib.sha256(picture_bytes(one)).hexdigest() for one in (MAP, DOTS, CURVES)]
    assert done.stdout.split() == drawn


def test_a_file_is_known_by_the_data_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    assert not is_of(path, MAP)
    write_picture(path, MAP)
    assert is_of(path, MAP)
    assert not is_of(path, replace(MAP, title="Another"))
    before = path.stat().st_mtime_ns
    write_picture(path, MAP)
    assert path.stat().st_mtime_ns == before
    path.write_bytes(b"no picture")
    assert not is_of(path, MAP)
    with pytest.raises(UserError, match=r"map\.pdf: pictures are PNG files"):
        write_picture(tmp_path / "map.pdf", MAP)


def test_a_picture_names_no_program_and_no_date(tmp_path: Path) -> None:
    write_picture(tmp_path / "map.png", MAP)
    with Image.open(tmp_path / "map.png") as image:
        image.load()
        assert set(image.info) <= {"Data digest", "dpi"}


def test_phases_are_shown_as_they_ran_each_with_its_total_last() -> None:
    found = curves_of(
        {"gate/total": [(0, 2.0)], "gate/bce": [(0, 1.0)], "late/x": [(0, 1.0)], "late/none": []}
    )
    assert [curve.name for curve in found] == ["gate/bce", "gate/total", "late/x"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    log = TrainingLog(
        n_steps=2, n_answer_tokens=1, n_tokens=1, n_image_tokens=0,
        curves={"forget": [(0, 1.0), (1, 0.5)], "total": [(0, 1.0), (1, 0.5)]},
    )  # fmt: skip
    store(Results(tmp_path), record("my+steps=2", training=log, seed=1), [])
    store(Results(tmp_path), record("my_rule", training=None), [])
    return tmp_path


def test_plot_run_draws_a_row_or_a_record(results: Path, capsys) -> None:
    assert main(["plot", "run", "my+steps=2", "--seed", "1", "--results", str(results)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.is_relative_to(results / "local" / "plots")
    with Image.open(path) as image:
        assert image.width > 300
    found = results / "local/records/testbed-safety/testbed-llava/my+steps=2/1.json"
    target = results / "mine.png"
    assert main(["plot", "run", str(found), "--to", str(target)]) == 0
    assert target.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("my_rule", "'my_rule' has no training and no figures to plot"),
        ("my+steps=2", "no run of 'my+steps=2' with seed 0 on model 'testbed-llava'"),
        ("my+steps=2", "here or published; there is seed 1"),
        ("my_rul", "did you mean 'my_rule'?"),
        ("no.json", "no.json: there is no such record"),
    ],
)
def test_what_cannot_be_plotted_is_one_line(results: Path, capsys, arguments, line) -> None:
    assert main(["plot", "run", *arguments.split(), "--results", str(results)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert line in said
