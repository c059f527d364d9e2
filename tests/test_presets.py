"""Presets: laid under what is typed, named in the record, of a size that fits their hardware."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from live_models import untrained_checkpoint

from benchmark.api import TrainingConfig
from benchmark.cli import main
from benchmark.core import registry
from benchmark.core.config import build
from benchmark.core.errors import UserError
from benchmark.core.records import RunRecord
from benchmark.core.roles import computed_in
from benchmark.core.store import digest
from benchmark.cost import memory
from benchmark.cost.devices import gpu_named
from benchmark.cost.parameters import parts_of
from benchmark.models import load_card
from benchmark.planning.room import room
from benchmark.presets import load_preset
from benchmark.reproduce import as_recorded
from benchmark.stages.resolve import RunRequest, resolve, settle

PRESETS = sorted(registry.entries("preset"))
SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")


def _step_bytes(name: str, model: str, *, times: int) -> float:
    """Of a step of textual unlearning, half of whose tokens are the answer's."""
    preset, card = load_preset(name), load_card(model)
    assert preset.tokens and preset.precision and preset.tuning and card.shape
    shape, parts = card.shape, parts_of(card.family, card.shape)
    settings = build(TrainingConfig, preset.settings, where=name)
    n = times * (settings.micro_batch or settings.batch_size)
    one = memory.Batch(
        n_sequences=n, n_tokens=preset.tokens, n_predicted=n * preset.tokens // 2
    )  # fmt: skip
    views = [one, one, replace(one, with_reference=True)]
    how = {"tuning": preset.tuning, "rank": settings.lora_rank, "precision": preset.precision}
    computed = computed_in(preset.precision, "cuda")
    own, gradients = memory.trained_bytes(parts, **how)
    return (
        memory.weight_bytes(parts, preset.precision, computed=computed)
        + own
        + (1 + memory.N_MOMENTS) * gradients
        + memory.kept_for_backward(
            shape.language,
            views,
            recomputed=preset.gradient_checkpointing,
            computed=computed,
            **how,
        )
        + memory.logits_bytes(shape.language.vocabulary, views, computed=computed)
    )


@pytest.mark.parametrize("name", [name for name in PRESETS if load_preset(name).gpu])
def test_a_step_fits_the_hardware_and_twice_as_much_does_not(name):
    preset = load_preset(name)
    assert preset.gpu and preset.models
    has = gpu_named(preset.gpu).memory_bytes

    def verdict(model: str, *, times: int) -> str:
        there = room(_step_bytes(name, model, times=times), has)
        assert there is not None
        return there.verdict

    assert {verdict(model, times=1) for model in preset.models} == {"fits"}
    assert any(verdict(model, times=2) != "fits" for model in preset.models)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_taken_by_the_methods_that_it_is_for(name):
    preset = load_preset(name)
    for method in preset.suits or ("textual_unlearning", "npo", "cagul", "ecso"):
        run = resolve(RunRequest(method=method, model="testbed-llava", preset=name, device="cpu"))
        assert run.spec.preset == name and run.spec.method == f"{method}@{name}"
        assert run.spec.precision == (preset.precision or "fp32")
        for key, value in {**preset.settings, **preset.methods.get(method, {})}.items():
            if hasattr(run.method.config, key):
                assert run.spec.config[key] == value, (method, key)
        if method == "cagul":
            assert run.spec.config["trains"] == {}, "its model is frozen"


def test_what_is_typed_goes_above_and_what_was_chosen_below():
    asked = RunRequest(method="npo", model="testbed-llava", device="cpu")
    chosen = resolve(asked)
    assert chosen.spec.preset is None and "preset" not in chosen.spec.method
    with_preset = resolve(replace(asked, preset="safety-mirage", overrides={"lora_rank": 4}))
    config = with_preset.spec.config
    assert (config["lora_rank"], config["lora_alpha"]) == (4, 256.0)
    # The search chose steps; the preset says nothing of them.
    assert config["steps"] == chosen.spec.config["steps"]
    assert with_preset.spec.method == "npo+lora_rank=4@safety-mirage"
    assert with_preset.selection is None, "they were not chosen for this row"
    assert with_preset.borrowed == (
        "settings are those typed and the preset's, and those chosen for 'npo' where they say "
        "nothing: steps=50"
    )
    untyped = resolve(replace(asked, preset="qlora-24gb"))
    assert untyped.borrowed == (
        "settings are the preset's, and those chosen for 'npo' where they say nothing: steps=50"
    )
    typed = resolve(replace(asked, preset="qlora-24gb", overrides={"steps": 5}))
    assert typed.borrowed == (
        "settings are those typed and the preset's, which leave none of those chosen for 'npo'"
    )
    other = resolve(replace(asked, overrides={"learning_rate": 1e-3}))
    assert str(other.borrowed).endswith("'npo' where they say nothing: steps=50")
    beside = resolve(replace(asked, overrides={"beta": 0.2}))
    assert beside.borrowed == "settings are those chosen for 'npo'"


def test_a_run_without_a_preset_keeps_the_name_that_it_had_before_there_were_any():
    run = resolve(RunRequest(method="npo", model="testbed-llava", device="cpu"))
    asked = run.spec.model_dump(mode="json", exclude={"preset"})
    assert run.run_id == digest(asked)[:16]
    other = resolve(replace(run.request, preset="safety-mirage", overrides=run.spec.config))
    assert other.run_id != run.run_id


def test_what_a_gpu_computes_in_over_rounded_weights_is_on_record():
    asked = RunRequest(method="npo", model="testbed-llava", preset="qlora-24gb", device="cuda")
    assert settle(asked).spec.computed_in == "bf16"
    there = settle(replace(asked, device="cpu")).spec
    assert there.precision == "nf4" and "computed_in" not in there.model_dump(mode="json")
    unrounded = settle(replace(asked, preset="lora-24gb")).spec
    assert "computed_in" not in unrounded.model_dump(mode="json")


def test_a_tuning_that_is_typed_brings_its_precision() -> None:
    asked = {"model": "llava-1.5-7b", "suite": "testbed-safety", "seed": 0, "device": "cuda"}
    typed = RunRequest(
        method="textual_unlearning", preset="lora-24gb",
        overrides={"trains": {"language": "qlora"}}, **asked,
    )  # fmt: skip
    spec = settle(typed).spec
    assert (spec.precision, spec.computed_in) == ("nf4", "bf16")
    wrong = replace(typed, preset="qlora-24gb", overrides={"trains": {"language": "full"}})
    with pytest.raises(UserError, match="over nf4 weights only qlora is trained"):
        settle(wrong)


def test_the_record_names_it_and_the_base_is_run_in_the_same_precision(tmp_path, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        'name: mine\ntitle: "Mine"\nsource: "here"\nprecision: fp32\ntuning: lora\n'
        "settings: {batch_size: 4, steps: 1}\n"
    )
    options = [
        "--suite", SUITE, "--model", str(untrained_checkpoint()), "--device", "cpu",
        "--preset", str(mine), "--results", str(tmp_path), "--limit", "1", "--json",
    ]  # fmt: skip
    assert main(["run", "--method", "textual_sft", *options]) == 0
    (ended,) = json.loads(capsys.readouterr().out)["runs"]
    record = RunRecord.model_validate_json(Path(ended["record"]).read_bytes())
    assert (record.spec.preset, record.spec.precision) == ("mine", "fp32")
    assert (record.spec.method, record.spec.config["batch_size"]) == ("textual_sft@mine", 4)
    (base,) = tmp_path.glob("local/records/*/*/*original*/0.limit-1.json")
    of_base = RunRecord.model_validate_json(base.read_bytes())
    assert (of_base.spec.method, of_base.spec.precision) == ("original@mine", "fp32")
    assert not any("precision" in reason for reason in record.unrankable_reasons)
    # On the board it stands beside that base.
    (board,) = tmp_path.glob("local/leaderboard/*/*.json")
    rows = {row["method"]: row for row in json.loads(board.read_text())["rows"]}
    assert not any("original" in reason for reason in rows["textual_sft@mine"]["reasons"])


def test_a_recorded_run_is_asked_for_with_its_preset(tmp_path):
    asked = RunRequest(
        method="npo", model="testbed-llava", preset="safety-mirage", device="cpu",
        results=tmp_path,
    )  # fmt: skip
    published = "results/published/testbed-safety/testbed-llava/npo/0.json"
    record = RunRecord.model_validate_json((registry.REPOSITORY / published).read_bytes())
    record = record.model_copy(update={"spec": resolve(asked).spec})
    again = as_recorded(record, folder=tmp_path, device=None, suite=None, model=None)
    assert again.preset == "safety-mirage"
    assert resolve(again).spec == record.spec


def test_mistakes_are_one_line(refused):
    run = ["run", "--method", "npo"]
    refused("presets", [*run, "--preset", "qlora-24g"], names="did you mean 'qlora-24gb'?")
    line = refused("presets", [*run, "--preset", "fiubench"], names="preset 'fiubench' 'npo'")
    assert "grad_diff" in line
    refused("presets", [*run, "--preset", "none.yaml"], names="there is no such file")
    with pytest.raises(UserError, match="unknown GPU 'a10': "):
        gpu_named("a10")
