"""Gradient checkpointing: less is kept, more is computed, and what is trained is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from live_models import deep, pool, pools, sample, untrained, untrained_checkpoint
from test_families import picture
from test_guidance import captioned
from tiny_families import FAMILIES, loaded

from benchmark.api import Method
from benchmark.cli import main
from benchmark.core.config import build
from benchmark.core.errors import UserError
from benchmark.core.records import RunRecord
from benchmark.core.roles import ADAPTED_OVER
from benchmark.stages.attempt import unlearn
from benchmark.stages.resolve import RunRequest, resolve
from benchmark.training.loop import Loop
from benchmark.vlm.checkpointing import keep_inputs_alone
from benchmark.vlm.model import VisionLanguageModel
from methods.rmu import METHOD as Rmu
from methods.textual_unlearning import METHOD as TextualUnlearning
from methods.tga import METHOD as Tga

SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")
FEW = {"steps": 2, "batch_size": 4, "warmup_share": 0.0, "learning_rate": 1e-2}
# Of losses and weights in fp32: what is computed anew may be added up in another order.
TOLERANCE = {"rtol": 1e-4, "atol": 1e-6}


def no_gold() -> Any:
    raise AssertionError("none of these asks for a gold model")


def trained(
    method: type[Method[Any]], folder: Path, *, recomputes: bool, precision: str = "fp32",
    **settings: object,
) -> tuple[VisionLanguageModel, Loop]:  # fmt: skip
    model = untrained(precision)
    model.recomputes = recomputes
    folder.mkdir()
    shown = folder / "images"
    data = pools(shown, images=True) | {"captioned": pool("captioned", captioned(shown))}
    loop = Loop(
        model=model, pools={role: data[role] for role in method.pools}, seed=3, folder=folder,
        report=lambda *_, **__: None, checkpointed=lambda: None, checkpoint_every_s=1e9,
    )  # fmt: skip
    unlearn(method(build(method.Config, FEW | settings, where="test")), loop=loop, gold=no_gold)
    return model, loop


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (TextualUnlearning, {"lora_dropout": 0.1}),
        (TextualUnlearning, {"trains": {"language": "lora_int8"}}),
        (TextualUnlearning, {"trains": {"language": "full"}, "modality": "both"}),
        (TextualUnlearning, {"trains": {"language": "lora", "vision": "full"}}),
        # States of some layers, where the pass ends, and of all of them on the way to the end.
        (Rmu, {}),
        (Tga, {"projector_steps": 2, "projector_batch_size": 2}),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else json.dumps(one),
)
def test_the_same_losses_and_weights(
    method: type[Method[Any]], settings: dict[str, Any], tmp_path: Path
) -> None:
    precision = ADAPTED_OVER.get(settings.get("trains", {}).get("language"), "fp32")
    (plain, loop), (again, recomputed) = (
        trained(method, tmp_path / str(on), recomputes=on, precision=precision, **settings)
        for on in (False, True)
    )
    for phase in loop.phases:
        name = f"{phase}.losses.jsonl"
        lines = [
            [json.loads(line)["total"] for line in (one.folder / name).read_text().splitlines()]
            for one in (loop, recomputed)
        ]
        assert lines[1] == pytest.approx(lines[0], rel=TOLERANCE["rtol"]) and lines[0]
    before, after = plain.trainable(), again.trainable()
    assert before.keys() == after.keys() and before
    for name, parameter in before.items():
        torch.testing.assert_close(after[name], parameter, **TOLERANCE)
    assert again.n_hooks == plain.n_hooks


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_the_same_gradients(family: str, tmp_path: Path) -> None:
    shown = sample("zerupa", images=(picture(tmp_path, 0),))
    gradients = []
    for recomputes in (False, True):
        model = loaded(family)
        model.recomputes = recomputes
        model.prepare({"language": "lora", "vision": "full"}, rank=2, alpha=4.0, dropout=0.0)
        model.hf.train()
        with torch.no_grad():
            for name, parameter in model.trainable().items():
                if "lora" in name:
                    parameter.copy_(torch.linspace(-0.1, 0.1, parameter.numel()).view_as(parameter))
        for asked in ([sample("zerupa"), sample("ditupu")], [shown, shown]):
            view = model.view(asked, ["no.", "no, never."])
            model.answer_logits(view).logsumexp(-1).mean().backward()
        gradients.append({name: p.grad for name, p in model.trainable().items()})
        for part in (model.roles.language, model.roles.vision):
            assert part.is_gradient_checkpointing == recomputes
    plain, again = gradients
    for adapter in (True, False):
        moved = [grad for name, grad in plain.items() if ("lora" in name) == adapter]
        assert any(float(grad.abs().sum()) > 0 for grad in moved if grad is not None)
    for name, grad in plain.items():
        # Layers that look at images alone do not run on text.
        if grad is None or again[name] is None:
            assert grad is again[name]
        else:
            torch.testing.assert_close(again[name], grad, **TOLERANCE)


def test_what_is_watched_does_not_happen_twice(tmp_path: Path) -> None:
    """Attention is worked out in a layer's own forward pass, and states are read on its way."""
    gradients = []
    for recomputes in (False, True):
        model = deep()
        model.recomputes = recomputes
        model.prepare({"language": "full"}, rank=2, alpha=4.0, dropout=0.0)
        model.hf.train()
        view = model.view([sample("zerupa"), sample("ditupu")])
        trace = model.trace(view, hidden=[0, 2], attention=[1], to_the_end=True)
        ended = model.trace(view, attention=[2])
        assert trace.final is not None and ended.final is None
        seen = [trace.final, trace.hidden[2], trace.attention[1], ended.attention[2]]
        sum(one.square().mean() for one in seen).backward()  # type: ignore[union-attr]
        gradients.append({n: p.grad for n, p in model.trainable().items() if p.grad is not None})
        layers = model.roles.language.layers
        assert all(layer.gradient_checkpointing == recomputes for layer in layers)
    assert gradients[0].keys() == gradients[1].keys() and gradients[0]
    for name, grad in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], grad, **TOLERANCE)


def test_an_architecture_without_it_is_one_line() -> None:
    model = untrained()
    model.roles.language.supports_gradient_checkpointing = False
    with pytest.raises(UserError, match="LlamaModel does not support gradient checkpointing; --no"):
        keep_inputs_alone(model.roles, {"language"})


PRESET = """
name: mine
title: "Mine"
source: "here"
gradient_checkpointing: true
"""


def test_what_is_typed_goes_above_the_preset_and_no_row_is_another(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(PRESET)
    asked = RunRequest(method="npo", model="testbed-llava", device="cpu")
    plain = resolve(asked)
    assert not plain.spec.gradient_checkpointing
    assert "gradient_checkpointing" not in plain.spec.model_dump()
    by_preset = resolve(replace(asked, preset=str(mine)))
    typed = resolve(replace(asked, gradient_checkpointing=True))
    assert by_preset.spec.gradient_checkpointing and typed.spec.gradient_checkpointing
    assert plain.spec.method == by_preset.spec.method == typed.spec.method == "npo"
    assert plain.run_id != typed.run_id
    off = replace(asked, preset=str(mine), gradient_checkpointing=False)
    assert not resolve(off).spec.gradient_checkpointing
    # Nothing of the model is trained.
    for method in ("original", "ecso", "cagul"):
        still = resolve(replace(asked, method=method, gradient_checkpointing=True))
        assert not still.spec.gradient_checkpointing


def test_plan_record_and_show_say_it_and_what_it_takes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    where = [
        "--method", "textual_unlearning+batch_size=4+steps=2", "--suite", SUITE, "--model",
        str(untrained_checkpoint()), "--device", "cpu", "--results", str(tmp_path), "--limit", "1",
    ]  # fmt: skip
    planned = []
    for option in ("--no-gradient-checkpointing", "--gradient-checkpointing"):
        assert main(["plan", *where, option, "--json"]) == 0
        planned.append(json.loads(capsys.readouterr().out))
    less, more = (one["training_memory"]["activations"] for one in reversed(planned))
    assert 0 < less < more / 2
    plain, again = (one["stages"][0]["flops"] for one in planned)
    # A forward pass of three of its kind.
    assert 1.1 < again / plain < 1.5
    assert main(["run", *where, "--gradient-checkpointing", "--json"]) == 0
    (ended,) = json.loads(capsys.readouterr().out)["runs"]
    record = RunRecord.model_validate_json(Path(ended["record"]).read_bytes())
    assert record.spec.gradient_checkpointing
    assert record.cost is not None and record.cost.stages["train"].flops == again
    assert main(["show", ended["record"]]) == 0
    assert "with gradient checkpointing" in " ".join(capsys.readouterr().out.split())
