"""`plan` beside what runs recorded: steps, tokens and operations, and hours from measured speed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from live_models import sample, untrained_checkpoint
from tiny_families import checkpoint_of

from benchmark.cli import main
from benchmark.core.records import Response, RunRecord
from benchmark.core.samples import Sample
from benchmark.engines.plan import plan_batches
from benchmark.planning.answers import Asking
from benchmark.planning.room import room
from benchmark.planning.work import Model
from benchmark.stages.answers import Answers

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


def test_a_training_that_is_not_reckoned_is_not_said_to_fit(capsys):
    """CAGUL trains what stands beside the model."""
    options = ["--suite", SUITE, "--model", "llava-1.5-7b", "--method", "cagul", "--gpu", "h200"]
    planned = _planned(capsys, *options)
    assert planned["training_memory"] == {} and planned["fits"] is None
    assert main(["plan", *options]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "trained: what stands beside the model" in said
    assert "training: its memory is not reckoned" in said


def test_a_preset_brings_its_gpu_and_a_method_may_train_nothing(capsys):
    planned = _planned(
        capsys, "--suite", SUITE, "--model", "llava-1.5-7b", "--method", "ecso",
        "--preset", "qlora-24gb",
    )  # fmt: skip
    assert (planned["precision"], planned["device"]["name"]) == ("nf4", "RTX 4090")
    assert planned["training_memory"] == {} and "artifacts" not in planned["disk"]
    assert not any(stage["name"] == "train" for stage in planned["stages"])
    assert any("one pass each" in note for note in planned["notes"])


def test_answering_falls_back_to_what_fits_and_training_says_what_takes_less(capsys):
    here = ["--model", "llava-1.5-7b", "--preset", "lora-24gb", "--method", "multimodal_unlearning"]
    planned = _planned(capsys, *here, "--set", "micro_batch=16 steps=2")
    asked, has = planned["answering"], planned["device"]["memory_bytes"]
    assert asked["batch_size"] == 64 and asked["whole_bytes"] > has
    assert asked["falls_back_to"] == 16
    assert (
        sum(one["size"] * one["n"] for one in asked["batches"])
        == (_stage(planned, "original: generate")["n_samples"])
    )
    assert planned["answering_room"]["verdict"] == "fits"
    assert planned["answering_room"]["needed_bytes"] == sum(planned["answering_memory"].values())
    assert planned["training_room"]["verdict"] == "does not fit" and planned["fits"] is False
    assert planned["remedies"] == [
        "a smaller micro-batch (--set micro_batch=8)",
        "adapters over rounded weights (--set trains.language=lora_int8, or qlora)",
    ], "gradients are checkpointed already"
    (reserve,) = (line for line in planned["assumptions"] if "in reserve" in line)
    assert "1.4 GiB for driver and CUDA context" in reserve


class _Crowded:
    """An engine whose memory holds only so many tokens at once."""

    def __init__(self, *, n_tokens: int) -> None:
        self.n_tokens = n_tokens

    def plan(self, samples: Sequence[Sample], *, batch_size: int) -> list[list[Sample]]:
        return plan_batches(samples, batch_size=batch_size, length_of=_length)

    def prime(self, samples: Sequence[Sample]) -> None:
        pass

    def answers(self, batches: Sequence[Sequence[Sample]]) -> Iterator[list[Response]]:
        for batch in batches:
            if len(batch) * max(map(_length, batch)) > self.n_tokens:
                raise torch.OutOfMemoryError("CUDA out of memory")
            yield [
                Response(sample_id=one.id, text="", n_prompt_tokens=1, n_answer_tokens=0)
                for one in batch
            ]


def _length(sample: Sample) -> int:
    return len(sample.prompt)


def test_batches_are_halved_in_the_plan_as_in_a_run(tmp_path):
    samples = [sample("z" * n) for n in range(1, 60)]
    engine: Any = _Crowded(n_tokens=300)
    asked = Answers(tmp_path).ask(
        engine, samples, batch_size=16, stored=lambda: None, note=lambda _: None
    )
    asking = Asking(
        batch_size=16,
        max_new_tokens=0,
        takes=lambda batch: batch.n_sequences * batch.n_tokens,
        room=lambda needed: needed <= 300,
    )
    planned, size = asking.batches(samples, cast(Model, SimpleNamespace(prompt=_length)))
    assert planned == asked and len({len(batch) for batch in planned}) > 2
    assert size == 4


@pytest.mark.parametrize(
    ("needed", "verdict"),
    [(21.5, "fits"), (21.6, "tight"), (23.9, "tight"), (24.1, "does not fit")],
)
def test_a_reserve_is_kept_of_what_a_gpu_has(needed, verdict):
    """Of 24 GiB: 1.05 x 21.5 + 1.4 = 23.975."""
    found = room(needed * 2**30, 24 * 2**30)
    assert found is not None and found.verdict == verdict
    assert found.spare_bytes == pytest.approx((24 - needed) * 2**30)
    assert room(needed, None) is None


def test_what_pictures_come_to_is_said_where_their_size_matters(capsys):
    """64 pixels make 2 x 2 tokens of 28, and 336 make 12 x 12."""
    here = ["--preset", "lora-24gb", "--method", "textual_sft+steps=1", "--limit", "4"]
    said = {
        model: [
            line
            for line in _planned(capsys, "--model", model, *here)["assumptions"]
            if "pixels" in line
        ]
        for model in ("qwen2.5-vl-7b", "llava-1.5-7b")
    }
    assert said["qwen2.5-vl-7b"] == [
        "the suite's pictures have 64 x 64 pixels, 4 visual tokens each; one of 336 x 336 takes 144"
    ]
    assert said["llava-1.5-7b"] == []


def test_words_fit_80_columns_and_say_what_two_plans_are_compared_by(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    asked = ["--suite", SUITE, "--model", "qwen3-vl-8b", "--method", "multimodal_sft"]
    assert main(["plan", *asked, "--preset", "lora-80gb", "--set", "steps=2 batch_size=8"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    words = " ".join(said.split())
    for part in (
        "memory training, a step answering", "GPU-hours", "FLOP",
        "training: 2 steps of 8 samples of each pool, 2 at a time (micro-batch); ", " epochs)",
        " image + ", " % image and ", " times its words alone",
        "A100 has 80.00 GiB", "training: fits, ", "answering, batches of ", ": fits, ",
    ):  # fmt: skip
        assert part in words, part


def test_what_is_not_known_is_said_before_anything_is_reckoned(capsys):
    for option in (["--gpu", "a100"], ["--model", "llava-1.5-8b"], ["--suite", "safty"]):
        assert main(["plan", "--method", "npo", *option]) == 2
        said = capsys.readouterr().err
        assert "reckoning" not in said and said.startswith("error: unknown "), said


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
