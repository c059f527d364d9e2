"""Code that a checkpoint brings along runs where the user says so, and nowhere else."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import ON_SUITE, TRAIN
from faults.tally import Refuse
from live_models import untrained_checkpoint
from transformers import AutoConfig, dynamic_module_utils

from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.core.records import RunRecord
from benchmark.models import ModelCard, load_card
from benchmark.models.own_code import own_class
from benchmark.vlm.loading import digest_checkpoint
from benchmark.vlm.processors import load_processor

CODE = """
from pathlib import Path

from transformers import LlavaConfig, LlavaForConditionalGeneration

Path({marker!r}).write_text("ran")


class MineConfig(LlavaConfig):
    model_type = "mine"


class MineForConditionalGeneration(LlavaForConditionalGeneration):
    config_class = MineConfig
"""
OWN = "modeling_mine.MineForConditionalGeneration"
MAPPED = {"AutoConfig": "modeling_mine.MineConfig", "AutoModelForImageTextToText": OWN}


def with_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """There once a checkpoint's code has run."""
    return tmp_path / "it-ran"


@pytest.fixture
def checkpoint(tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model of a class that only its own code knows; where transformers keeps copies of such
    code is a folder of the test's own."""
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tmp_path / "mine"
    load_processor(untrained_checkpoint()).save_pretrained(folder)
    code = folder / "modeling_mine.py"
    code.write_text(CODE.format(marker=str(ran)))
    spec = importlib.util.spec_from_file_location("modeling_mine_of_the_test", code)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fields = AutoConfig.from_pretrained(untrained_checkpoint()).to_dict()
    config = module.MineConfig(**{k: v for k, v in fields.items() if k != "model_type"})
    module.MineForConditionalGeneration(config).save_pretrained(folder)
    with_config(folder, auto_map=MAPPED, model_type="mine")
    ran.unlink()
    return folder


def test_without_the_flag_it_is_refused_and_not_run(
    refused: Refuse, checkpoint: Path, ran: Path
) -> None:
    command = [*TRAIN, *ON_SUITE, "--model", str(checkpoint)]
    line = refused("weights", command, names="--trust-remote-code")
    assert f"transformers has no '{OWN}'" in line and not ran.exists()
    # Nor by a family's name that transformers knows.
    with_config(checkpoint, model_type="llava")
    refused("weights", command, names="--trust-remote-code")
    assert not ran.exists()


def test_with_it_it_runs_and_the_record_says_so(
    checkpoint: Path, ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "run", "--method", "textual_sft+batch_size=2+steps=1", *ON_SUITE, "--model",
        str(checkpoint), "--device", "cpu", "--limit", "1", "--engine", "auto",
        "--results", str(tmp_path / "results"), "--trust-remote-code", "--json",
    ]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr()
    (ended,) = json.loads(said.out)["runs"]
    assert ran.exists()
    assert f"engine local: is not given code of a checkpoint's own to run ({OWN})" in said.err
    record = RunRecord.model_validate_json(Path(ended["record"]).read_bytes())
    assert record.spec.remote_code == OWN and record.training is not None
    assert main(["show", ended["record"]]) == 0
    assert f"ran code of the checkpoint's own: {OWN}" in capsys.readouterr().out
    assert main(["reproduce", ended["record"]]) == 2
    assert "is not run again unasked" in " ".join(capsys.readouterr().err.split())


def test_a_class_that_transformers_has_takes_no_code(checkpoint: Path, ran: Path) -> None:
    mapped = {"AutoModelForImageTextToText": "modeling_mine.LlavaForConditionalGeneration"}
    with_config(checkpoint, auto_map=mapped, model_type="llava")
    assert own_class(checkpoint) is None
    assert main([*TRAIN, *ON_SUITE, "--model", str(checkpoint), "--trust-remote-code"]) == 0
    assert not ran.exists()


def test_its_code_is_part_of_what_a_checkpoint_is(checkpoint: Path) -> None:
    before = digest_checkpoint(checkpoint)
    (checkpoint / "modeling_mine.py").write_text("# something else")
    assert digest_checkpoint(checkpoint) != before


def test_nothing_is_planned_for_a_family_that_nobody_knows(checkpoint: Path, ran: Path) -> None:
    card: ModelCard = load_card(str(checkpoint))
    with pytest.raises(UserError, match="is of no family that is known here"):
        _ = card.known_family
    assert main(["plan", "--method", "npo", *ON_SUITE, "--model", str(checkpoint)]) == 2
    assert not ran.exists()
