"""A new method from the template and from the tutorial, as a newcomer would make it."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from live_models import BigramModel, untrained_checkpoint, view_of

from benchmark.api import LossMethod
from benchmark.checks.contract import check_method
from benchmark.checks.workbench import Workbench
from benchmark.cli import main
from benchmark.core import registry
from benchmark.core.records import RunRecord
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, run

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "tests" / "suites" / "small-safety.yaml"
TUTORIAL = (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a method")[2]
COMMANDS = re.findall(r"^ +make (\S+) (.*)$", TUTORIAL, re.MULTILINE)
(CODE,) = re.findall(r"^ +```python\n(.*?)^ +```$", TUTORIAL, re.MULTILINE | re.DOTALL)
CODE = textwrap.dedent(CODE)


def write(name: str, folder: Path) -> Path:
    assert main(["new-method", name, "--to", str(folder)]) == 0
    return folder / f"{name}.py"


def problems(path: Path, folder: Path) -> list[object]:
    bench = Workbench(folder, names=[str(path)])
    return [outcome for outcome in check_method(str(path), bench) if not outcome.is_well]


def bench(path: Path, results: Path, **settings: float) -> RunRecord:
    asked = RunRequest(
        method=str(path), model=str(untrained_checkpoint()), suite=str(SUITE), device="cpu",
        results=results, overrides=settings,
    )  # fmt: skip
    return run(asked, reporter=Reporter(quiet=True))


def test_a_fresh_file_keeps_the_contract_and_changes_nothing(tmp_path: Path) -> None:
    path = write("my_first", tmp_path)
    assert problems(path, tmp_path / "bench") == []
    record = bench(path, tmp_path / "results", steps=2)
    assert record.status == "done"
    assert record.canary is not None
    assert (record.canary.n > 0, record.canary.n_changed) == (True, 0)


@pytest.mark.parametrize("name", ["tensor", "loss_method", "training", "x2", "keep__it_", "none"])
def test_whatever_the_name_the_file_works(name: str, tmp_path: Path) -> None:
    method = registry.load("method", str(write(name, tmp_path)))
    assert issubclass(method, LossMethod) and method is not LossMethod
    assert method.Config().weights == {"forget": 0.0, "keep": 0.0}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("class", "'class' cannot name a method"),
        ("Upper", "'Upper' cannot name a method"),
        ("a-b", "'a-b' cannot name a method"),
        ("_hidden", "'_hidden' cannot name a method"),
        ("all", "`--method all` means every method"),
        ("npo", "the name 'npo' is taken by built-in"),
        ("there", "there.py is there already"),
    ],
)
def test_a_name_that_cannot_be_is_one_line(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.py").write_text("kept")
    assert main(["new-method", name, "--to", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if path.suffix] == ["there.py"]
    assert (tmp_path / "there.py").read_text() == "kept"


def test_a_folder_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new-method", "mine", "--to", str(tmp_path / "nowhere")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_the_tutorial_goes_from_nothing_to_the_board(tmp_path: Path) -> None:
    assert [target for target, _ in COMMANDS] == ["new-method", "check", "bench"]
    assert len([line for line in CODE.splitlines() if line.strip()]) < 40
    name = COMMANDS[0][1].removeprefix("NAME=")
    path = write(name, tmp_path)
    path.write_text(CODE)
    assert problems(path, tmp_path / "bench") == []
    results = tmp_path / "results"
    record = bench(path, results, steps=2, learning_rate=1e-2)
    assert (record.status, record.error) == ("done", None)
    assert record.training is not None
    assert set(record.training.curves) == {"forget", "keep", "total"}
    (made,) = results.glob("local/records/*/*/unlikelihood*/0.json")
    assert RunRecord.model_validate_json(made.read_text()) == record


def test_the_tutorials_code_has_the_style_that_it_will_be_held_to() -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", "methods/new.py", "-"],
            input=CODE, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_a_fresh_file_has_it_too(tmp_path: Path) -> None:
    path = write("short", tmp_path), write("a_method_with_rather_a_long_name", tmp_path)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--config", ROOT / "pyproject.toml", *path],
            capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_the_tutorials_loss_by_hand(tmp_path: Path) -> None:
    """Logits 0, log 2 and log 5 after `1`: p = 1/8, 2/8, 5/8; a bad `2` costs -log(1 - 5/8)."""
    path = tmp_path / "unlikelihood.py"
    path.write_text(CODE)
    method = registry.load("method", str(path))
    model = BigramModel([[1 / 8, 2 / 8, 5 / 8]] * 3)
    view = view_of([[0, 1, 2]], [2])
    batch = {role: SimpleNamespace(answering=lambda _: view) for role in ("forget", "keep")}
    terms = method(method.Config()).losses(model, batch, None)
    assert terms["forget"].item() == pytest.approx(-math.log(3 / 8), rel=1e-5)
    assert terms["keep"].item() == pytest.approx(-math.log(5 / 8), rel=1e-5)


def test_it_still_pushes_where_the_model_is_certain(tmp_path: Path) -> None:
    """1 - p is 0 in fp32 there, and its logarithm would be infinite."""
    path = tmp_path / "unlikelihood.py"
    path.write_text(CODE)
    method = registry.load("method", str(path))
    logits_AV = torch.tensor([[50.0, 0.0, 0.0]], requires_grad=True)
    model = SimpleNamespace(answer_logits=lambda _: logits_AV)
    view = SimpleNamespace(targets_A=torch.tensor([0]))
    batch = {role: SimpleNamespace(answering=lambda _: view) for role in ("forget", "keep")}
    loss = method(method.Config()).losses(model, batch, None)["forget"]
    assert loss.item() == pytest.approx(50 - math.log(2))
    loss.backward()
    assert logits_AV.grad is not None and logits_AV.grad[0, 0].item() == pytest.approx(1.0)
