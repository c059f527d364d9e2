"""A finished training found again: whole and its own, or one line with the file and the remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from live_models import untrained_checkpoint

from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, run

SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"
REMEMBERING = '''"""A plugin for a test. Source: none. Differs from the paper: there is none."""
import torch
from benchmark.api import Method, MethodConfig, RewriteVisualTokens, Unlearned


class Shift(RewriteVisualTokens):
    def __init__(self, by):
        self.by = by

    def rewrite_visual_tokens(self, model, view, tokens_IND):
        return tokens_IND + self.by


class Remembering(Method[MethodConfig]):
    def unlearn(self, job):
        return Unlearned(weights=job.model.weights_delta(), state={"by": torch.ones(3)})

    def hooks(self, state):
        return (Shift(state["by"]),)


METHOD = Remembering
'''


def train(results: Path) -> Path:
    """The folder of the finished training of a plugin that keeps weights and state."""
    path = results / "remembering.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(REMEMBERING)
    asked = RunRequest(
        method=str(path), model=str(untrained_checkpoint()), suite=str(SUITE), device="cpu",
        results=results, upto="train",
    )  # fmt: skip
    assert run(asked, reporter=Reporter(quiet=True)).status == "done"
    (manifest,) = results.glob("local/stages/train/*/manifest.json")
    return manifest.parent


def in_manifest(field: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        fields = json.loads(path.read_text())
        fields[field] = value
        path.write_text(json.dumps(fields))

    return change


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:20])


DAMAGES = {
    "state cut": (cut("state.safetensors"), r"artifact {}/state\.safetensors is damaged"),
    "weights cut": (cut("delta.json"), r"artifact {}/delta\.json is damaged"),
    "state gone": (
        lambda folder: (folder / "state.safetensors").unlink(),
        r"artifact {}/state\.safetensors is not there",
    ),
    "another method's": (
        in_manifest("method", "npo"),
        r"{}/manifest\.json: this artifact is of method 'npo', not of 'remembering'",
    ),
    "another model's": (
        in_manifest("model_sha256", "0" * 64),
        r"{}/manifest\.json: this artifact was made for other weights \(0{{12}}\)",
    ),
    "another version's": (in_manifest("files", None), r"{}/manifest\.json: files"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_artifact_that_is_not_what_was_stored_is_one_line(damage: str, tmp_path: Path) -> None:
    folder = train(tmp_path / "results")
    assert train(tmp_path / "results") == folder
    do, message = DAMAGES[damage]
    do(folder)
    with pytest.raises(UserError, match=message.format(re.escape(str(folder)))) as caught:
        train(tmp_path / "results")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(f"delete {folder} and run again")


def test_the_command_says_it_without_a_traceback_and_the_remedy_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "train", "--method", "textual_sft", "--model", str(untrained_checkpoint()),
        "--suite", str(SUITE), "--set", "steps=1", "--results", str(tmp_path / "results"),
    ]  # fmt: skip
    assert main(command) == 0
    (path,) = tmp_path.glob("results/local/stages/train/*/adapter_model.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    capsys.readouterr()
    assert main(command) == 2
    error = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("error"))
    assert error.endswith(
        f": artifact {path} is damaged, it is not what was stored; delete {path.parent} and "
        "run again"
    )
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    assert main(command) == 0
    assert path.read_bytes() == whole
