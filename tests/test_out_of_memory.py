"""Memory that runs out in training: one line with what takes less, and nothing stored is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from live_models import untrained_checkpoint

from benchmark.cli import main
from benchmark.core.records import RunRecord
from benchmark.stages.resolve import RunRequest, resolve
from benchmark.stages.shortage import out_of_memory
from benchmark.training import loop

SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")
SHORT = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore of it")


def trained(folder: Path) -> int:
    return main([
        "train", "--method", "textual_sft+batch_size=2+steps=4", "--suite", SUITE, "--model",
        str(untrained_checkpoint()), "--device", "cpu", "--checkpoint-every", "0",
        "--results", str(folder),
    ])  # fmt: skip


def artifact(folder: Path) -> dict[str, Any]:
    (manifest,) = folder.glob("local/stages/train/*/manifest.json")
    return json.loads(manifest.read_text())


def test_a_training_that_ran_out_of_memory_goes_on_from_its_last_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, take = [], loop.take_step

    def short(*given: Any, **named: Any) -> None:
        if len(taken) == 2:
            raise SHORT
        taken.append(named["step"])
        take(*given, **named)

    monkeypatch.setattr(loop, "take_step", short)
    assert trained(tmp_path / "short") == 1
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error: ")]
    assert "failed while train: out of memory: CUDA out of memory. Tried to allocate" in line
    smaller = "a smaller micro-batch (--set micro_batch=1)"
    assert f"--gradient-checkpointing, {smaller}, adapters over rounded" in line
    assert "what takes less, and begins anew: --gradient" in line
    assert line.endswith("nothing that was stored is lost: the same command goes on from there")
    (path,) = tmp_path.glob("short/local/records/*/*/*/0.failed.json")
    record = RunRecord.model_validate_json(path.read_bytes())
    assert (record.status, record.failed_stage) == ("failed", "train")
    monkeypatch.undo()
    assert trained(tmp_path / "short") == trained(tmp_path / "undisturbed") == 0
    again, undisturbed = artifact(tmp_path / "short"), artifact(tmp_path / "undisturbed")
    assert again["training"]["resumed_at_steps"] == [2]
    assert again["training"]["curves"] == undisturbed["training"]["curves"]
    weights = "adapter_model.safetensors"
    assert again["files"][weights] == undisturbed["files"][weights]


@pytest.mark.parametrize(
    ("overrides", "recomputes", "told", "not_told"),
    [
        ({}, True, "(--set trains.language=lora_int8, or qlora)", "--gradient-checkpointing"),
        ({"batch_size": 1}, False, "--gradient-checkpointing, adapters", "micro_batch"),
        (
            {"batch_size": 8, "micro_batch": 2},
            False,
            "a smaller micro-batch (--set micro_batch=1)",
            "than 8",
        ),
        ({"batch_size": 8, "micro_batch": 1}, False, "--gradient-checkpointing, adapt", "micro_b"),
        (
            {"trains": {"language": "lora_int8"}},
            False,
            "fewer bits (--set trains.language=qlora)",
            "int8",
        ),
        (
            {"trains": {"language": "qlora"}},
            False,
            "a smaller micro-batch (--set micro_batch=",
            "qlora",
        ),
    ],
)
def test_what_is_done_already_is_no_remedy(
    overrides: dict[str, Any], recomputes: bool, told: str, not_told: str
) -> None:
    request = RunRequest(
        method="textual_sft", model="testbed-llava", suite=SUITE, device="cpu",
        overrides=overrides, gradient_checkpointing=recomputes,
    )  # fmt: skip
    line = out_of_memory(SHORT, stage="train", spec=resolve(request).spec)
    assert told in line and not_told not in line and "\n" not in line
    assert out_of_memory(SHORT, stage="generate", spec=resolve(request).spec) == (
        "out of memory: CUDA out of memory. Tried to allocate 2.00 GiB."
    )


@pytest.mark.parametrize(
    ("method", "remedies"),
    [
        # Its networks are trained beside a frozen model.
        (
            "cagul",
            "; what takes less, and begins anew: a smaller micro-batch (--set micro_batch=16);",
        ),
        # The projector is trained too, which no rounded weights go with.
        ("tga", "; what takes less, and begins anew: --gradient-checkpointing, a smaller"),
    ],
)
def test_a_remedy_is_one_that_the_method_has(method: str, remedies: str) -> None:
    spec = resolve(RunRequest(method=method, suite=SUITE, device="cpu")).spec
    line = out_of_memory(SHORT, stage="train", spec=spec)
    assert f"2.00 GiB.{remedies}" in line and "None" not in line and "rounded" not in line


@pytest.mark.parametrize("command", [["ask", "zerupa"], ["export", "--to", "exported"]])
def test_a_command_that_trains_on_its_way_says_it_in_one_line(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def short(*_: Any, **__: Any) -> None:
        raise SHORT

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loop, "take_step", short)
    code = main([
        *command, "--method", "textual_sft+batch_size=2+steps=1", "--suite", SUITE, "--model",
        str(untrained_checkpoint()), "--device", "cpu", "--results", str(tmp_path),
    ])  # fmt: skip
    said = capsys.readouterr().err
    (line,) = [one for one in said.splitlines() if one.startswith("error: ")]
    assert code == 1 and "Traceback" not in said
    assert "failed while train: out of memory: CUDA out of memory" in line
    # That is an option of `run` alone.
    assert (
        "anew: a smaller micro-batch (--set micro_batch=1), adapters over rounded weights" in line
    )
