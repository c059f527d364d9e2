"""`plan` beside what runs recorded: steps, tokens and operations, and hours from measured speed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from live_models import untrained_checkpoint
from tiny_families import checkpoint_of

from benchmark.cli import main
from benchmark.core.records import RunRecord

SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")
KINDS = ("text", "image", "answer")
ON_CPU = ["--suite", SUITE, "--device", "cpu"]


def _planned(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["plan", *options, "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def _stage(planned: dict[str, Any], name: str) -> dict[str, Any]:
    return next(stage for stage in planned["stages"] if stage["name"] == name)


@pytest.mark.parametrize(
    ("method", "family"),
    [
        ("multimodal_sft+batch_size=3+steps=3", "testbed"),
        # Pictures at their own size, in windows; and looked at by layers of the language model.
        ("multimodal_sft+batch_size=3+steps=3", "qwen2_5_vl"),
        ("multimodal_sft+batch_size=3+steps=3", "mllama"),
        # All parameters: the reference is asked everything beforehand.
        ("npo+batch_size=3+steps=3+trains.language=full", "testbed"),
    ],
)
def test_tokens_and_operations_are_those_that_a_training_records(capsys, tmp_path, method, family):
    folder = untrained_checkpoint() if family == "testbed" else checkpoint_of(family)
    here = [*ON_CPU, "--model", str(folder), "--method", method]
    planned = _planned(capsys, *here, "--results", str(tmp_path))
    assert main(["train", *here, "--results", str(tmp_path), "--json"]) == 0
    capsys.readouterr()
    (manifest,) = tmp_path.glob("local/stages/train/*/manifest.json")
    made = json.loads(manifest.read_text())
    train = _stage(planned, "train")
    _check_tokens(train, made["training"])
    assert train["flops"] == made["cost"]["flops"] > 0
    assert planned["parameters"]["trained, of the language model"] == made["trainable_params"]


def _check_tokens(planned: dict[str, Any], training: dict[str, Any]) -> None:
    """To the last token: the plan draws the same batches as the run."""
    for name in ("n_steps", "n_answer_tokens", "n_image_tokens"):
        assert planned[name] == training[name], name
    assert sum(planned[f"n_{kind}_tokens"] for kind in KINDS) == training["n_tokens"]


def test_a_whole_run_and_the_hours_once_it_is_on_record(capsys, tmp_path):
    here = [
        *ON_CPU, "--model", str(untrained_checkpoint()), "--results", str(tmp_path),
        "--method", "textual_unlearning+batch_size=4+steps=5", "--limit", "1",
    ]  # fmt: skip
    before = _planned(capsys, *here)
    assert before["device_h"] is None and before["fits"] is None
    assert any("no peak is known of" in line for line in before["assumptions"])
    reckoned = _planned(capsys, *here, "--peak-tflops", "0.05", "--mfu", "0.5")
    train = _stage(reckoned, "train")
    assert train["how"] == "reckoned"
    assert train["device_h"] == pytest.approx(train["flops"] / (0.05e12 * 0.5) / 3600)

    assert main(["run", *here, "--json"]) == 0
    (ended,) = json.loads(capsys.readouterr().out)["runs"]
    record = RunRecord.model_validate_json(Path(ended["record"]).read_bytes())
    assert record.cost is not None and record.training is not None
    stages = record.cost.stages
    _check_tokens(train, record.training.model_dump())
    assert train["flops"] == stages["train"].flops
    generate = _stage(reckoned, "generate")
    asked = generate["n_text_tokens"] + generate["n_image_tokens"]
    assert asked == stages["generate"].input_tokens
    # What a model will say is not known: the limit is.
    assert generate["n_answer_tokens"] >= stages["generate"].output_tokens

    after = _planned(capsys, *here, "--seeds", "3")
    assert {stage["how"] for stage in after["stages"]} == {"measured"}
    trained = _stage(after, "train")
    assert (trained["n_runs"], trained["flops"]) == (3, 3 * train["flops"])
    assert trained["device_h"] == pytest.approx(3 * stages["train"].device_s / 3600)
    assert _stage(after, "original: generate")["n_runs"] == 1
    assert after["device_h"] == pytest.approx(sum(one["device_h"] for one in after["stages"]))


def test_a_model_that_is_not_here_is_planned_for_from_its_card(capsys):
    """Show: text alone and with images, and the token counts that set their ratio."""
    here = ["--suite", SUITE, "--model", "llava-1.5-7b", "--gpu", "a100-80gb"]
    settings = ["--set", "batch_size=2 steps=3"]
    text, both = (
        _planned(capsys, *here, *settings, "--method", method)
        for method in ("textual_unlearning", "multimodal_unlearning")
    )
    assert _stage(text, "train")["n_image_tokens"] == 0
    train = _stage(both, "train")
    assert train["n_image_tokens"] > 0 and train["n_image_tokens"] % 576 == 0
    tokens = [
        sum(_stage(one, "train")[f"n_{kind}_tokens"] for kind in KINDS) for one in (text, both)
    ]
    ratio = train["flops"] / _stage(text, "train")["flops"]
    assert ratio > 0.5 * tokens[1] / tokens[0] > 1
    assert text["parameters"]["language"] == 6738415616 + 64 * 4096 * 2
    assert text["training_memory"]["weights"] == 2 * sum(
        text["parameters"][role] for role in ("vision", "projector", "language")
    )
    assert text["fits"] is True and text["device"]["peak_flops"] == 312e12
    (refusal,) = text["notes"]
    assert "a run of this is refused: suite 'small-safety' asks about the miniature" in refusal
    assert any("4 characters a token" in line for line in text["assumptions"])


def test_a_preset_brings_its_gpu_and_a_method_may_train_nothing(capsys):
    planned = _planned(
        capsys, "--suite", SUITE, "--model", "llava-1.5-7b", "--method", "ecso",
        "--preset", "qlora-24gb",
    )  # fmt: skip
    assert (planned["precision"], planned["device"]["name"]) == ("nf4", "RTX 4090")
    assert planned["training_memory"] == {} and "artifacts" not in planned["disk"]
    assert not any(stage["name"] == "train" for stage in planned["stages"])
    assert any("one pass each" in note for note in planned["notes"])


def test_words_fit_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    asked = ["--suite", SUITE, "--model", "qwen3-vl-8b", "--method", "textual_sft"]
    assert main(["plan", *asked, "--preset", "lora-80gb", "--set", "steps=2 batch_size=8"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "memory of a training step" in said and "GPU-hours" in said


def test_mistakes_are_one_line(refused):
    plan = ["plan", "--method", "npo", "--suite", SUITE, "--model", "llava-1.5-7b"]
    for options, said in (
        (["--gpu", "a100"], "unknown GPU 'a100': did you mean 'a100-80gb'?"),
        (["--mfu", "1.5"], "--mfu '1.5': expected a share"),
        (["--peak-tflops", "-1"], "--peak-tflops '-1': expected more than 0"),
        (["--characters-per-token", "nan"], "--characters-per-token 'nan'"),
        (["--preset", "fiubench"], "unknown method of preset 'fiubench' 'npo'"),
        (["--set", "beta=x"], "beta"),
    ):
        refused("plan", [*plan, *options], names=said)
    refused("plan", ["plan", "--method", "npo,dpo"], names="one method is planned at a time")
