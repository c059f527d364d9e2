"""Layers in shards (FSDP): the losses and weights of one process with whole layers, and what cannot
be."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from cagul_parts import image_pools
from joined import FSDP, joined
from live_models import pool, pools, untrained
from test_guidance import captioned
from test_processes import DRAWING, ONCE_S, EndsIn1, FailsIn1, Trained, config_of, train
from torch import nn

from benchmark.api import TrainingConfig
from benchmark.core.config import build
from benchmark.core.errors import RunFailed, UserError
from benchmark.training import sharded
from benchmark.training.joining import join
from benchmark.training.processes import Processes
from benchmark.training.shards import is_shard
from benchmark.vlm.encoding import View
from benchmark.vlm.model import VisionLanguageModel
from methods.cagul import METHOD as Cagul
from methods.npo import METHOD as Npo
from methods.rmu import METHOD as Rmu
from methods.textual_unlearning import METHOD as TextualUnlearning
from methods.tga import METHOD as Tga

# Waited for in vain where a test says so, and longer than a busy machine keeps a process waiting.
A_MOMENT = timedelta(seconds=8)
FULL = {"trains": {"language": "full"}, "learning_rate": 1e-4}


def agree(alone: Trained, shared: list[Any], *, within: float = 1e-6) -> None:
    """Gradients are added up in another order, and their norm too: equal but for rounding, as a
    share of a weight's norm. Adam makes a whole step of a gradient that is nothing but that."""
    first, second = shared
    assert isinstance(first, Trained) and isinstance(second, Trained), shared
    assert first.weights.keys() == alone.weights.keys()
    assert [step.total for step in first.losses] == pytest.approx(
        [step.total for step in alone.losses], rel=1e-5
    )
    for name, weight in alone.weights.items():
        assert torch.equal(first.weights[name], second.weights[name])
        assert (first.weights[name] - weight).norm() <= within * weight.norm(), name
    again = {"flops"} if first.resumed_at else set()
    for name in alone.counted.keys() - again:
        assert first.counted[name] == alone.counted[name], name


@pytest.mark.parametrize("recomputes", [False, True])
@pytest.mark.parametrize("settings", [DRAWING, DRAWING | FULL], ids=["lora", "full"])
def test_two_processes_with_shards_are_one(
    settings: dict[str, Any], recomputes: bool, tmp_path: Path
) -> None:
    config = config_of(**settings)
    how = {"recomputes": recomputes, "checkpoint_every_s": ONCE_S}
    alone = train(config, tmp_path / "alone", **how)

    def shared(processes: Processes) -> Trained:
        return train(config, tmp_path / "two", processes, **how)

    agree(alone, joined(shared, told=FSDP))


def with_captions(folder: Path) -> dict[str, Any]:
    """What any method here is trained on."""
    return pools(folder, images=True) | {"captioned": pool("captioned", captioned(folder))}


@pytest.mark.parametrize("recomputes", [False, True])
def test_gradients_to_what_is_seen_pass_in_all_processes_or_none(
    recomputes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside frozen words the first layer has a gradient to pass on where there is an image, which
    one process may have alone."""
    monkeypatch.setattr(sharded, "PATIENCE", timedelta(seconds=20))
    trains = {"language": "lora", "projector": "full"}
    config = config_of(batch_size=2, micro_batch=1, steps=6, trains=trains)
    how = {"recomputes": recomputes, "checkpoint_every_s": ONCE_S}
    alone = train(config, tmp_path / "alone", **how)

    def shared(processes: Processes) -> Trained:
        return train(config, tmp_path / "two", processes, **how)

    agree(alone, joined(shared, told=FSDP), within=1e-4)


class AsksIn1(TextualUnlearning):
    """Whose second process asks the untouched model once more than the first."""

    def losses(self, model, batch, reference):
        if os.environ.get("RANK") == "1":
            reference.answer_logprob(batch["keep"].answering("good"))
        return super().losses(model, batch, reference)


def test_who_asks_the_reference_where_others_do_not_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharded, "PATIENCE", A_MOMENT)
    config = config_of(**DRAWING)
    first, second = joined(
        lambda all_: train(config, tmp_path / "two", all_, method=AsksIn1), told=FSDP
    )
    assert "waited for one another in vain: their losses do not ask the model" in str(first)
    assert "losses ask the reference in one of them where they do not in another" in str(second)


def test_a_loss_without_gradient_is_named_as_in_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The projector alone, and a part of the batch without an image."""
    monkeypatch.setattr(sharded, "PATIENCE", A_MOMENT)
    config = config_of(batch_size=2, micro_batch=1, steps=6, trains={"projector": "full"})
    with pytest.raises(RunFailed, match="carries no gradient"):
        train(config, tmp_path / "alone")
    said = joined(lambda all_: train(config, tmp_path / "two", all_), told=FSDP)
    assert all("carries no gradient" in str(one) for one in said)


FEW = {"steps": 2, "batch_size": 4, "micro_batch": 2}


@pytest.mark.parametrize(
    ("method", "settings", "within"),
    [
        # The ratio to a reference; states of a layer, where the pass ends; two phases.
        (Npo, FEW, 1e-6),
        (Rmu, FEW, 1e-6),
        (Tga, FEW | {"projector_steps": 2, "projector_batch_size": 4}, 1e-4),
    ],
)
def test_methods_that_look_inside(
    method: Any, settings: dict[str, Any], within: float, tmp_path: Path
) -> None:
    config = build(method.Config, settings, where="test")
    how = {"method": method, "make_pools": with_captions, "checkpoint_every_s": ONCE_S}
    alone = train(config, tmp_path / "alone", **how)
    shared = joined(lambda all_: train(config, tmp_path / "two", all_, **how), told=FSDP)
    agree(alone, shared, within=within)


def test_layers_are_divided_while_they_train_and_themselves_again_after(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Watched(TextualUnlearning):
        def losses(self, model, batch, reference):
            here = [p.to_local() for p in model.roles.language.layers.parameters() if is_shard(p)]
            seen.append((sum(p.numel() for p in here), model))
            return super().losses(model, batch, reference)

    def parts(processes: Processes) -> tuple[int, int, list[str], list[int]]:
        train(
            config_of(**DRAWING | {"steps": 1}), tmp_path / "two", processes, method=Watched,
            checkpoint_every_s=ONCE_S,
        )  # fmt: skip
        n_divided, model = seen[0]
        layers: nn.ModuleList = model.roles.language.layers
        whole = sum(p.numel() for p in layers.parameters())
        kinds = sorted({type(module).__name__ for module in layers.modules()})
        model.fold()
        return n_divided, whole, kinds, [len(vars(model.hf)["_forward_hooks"]), model.n_hooks]

    model = untrained()
    model.prepare({"language": "lora"}, rank=4, alpha=8.0, dropout=0.1)
    layers = model.roles.language.layers
    kinds = sorted({type(module).__name__ for module in layers.modules()})
    for n_divided, whole, found, n_hooks in joined(parts, told=FSDP):
        assert whole == sum(p.numel() for p in layers.parameters())
        assert n_divided == whole / 2
        assert found == kinds and n_hooks == [0, 0]


class AsksForStates(TextualUnlearning):
    """transformers puts hooks on the layers when it is first asked for all their states."""

    asked: list[tuple[VisionLanguageModel, View]] = []

    def losses(self, model, batch, reference):
        view = batch["keep"].answering("good")
        model.hf.model(**model.inputs(view), output_hidden_states=True)
        self.asked.append((model, view))
        return super().losses(model, batch, reference)


def test_states_can_be_asked_for_afterwards_as_before(tmp_path: Path) -> None:
    def n_states(processes: Processes) -> int:
        train(config_of(steps=1, micro_batch=2), tmp_path, processes, method=AsksForStates)
        model, view = AsksForStates.asked[-1]
        return len(model.hf.model(**model.inputs(view), output_hidden_states=True).hidden_states)

    assert joined(n_states, told=FSDP) == [untrained().n_layers + 1] * 2


@pytest.mark.parametrize("shards_first", [True, False])
def test_a_training_goes_on_in_another_number_of_processes(
    shards_first: bool, tmp_path: Path
) -> None:
    config = config_of(**DRAWING)
    alone = train(config, tmp_path / "alone")

    def broken(processes: Processes) -> Trained:
        return train(config, tmp_path / "two", processes, method=EndsIn1)

    def resumed(processes: Processes) -> Trained:
        return train(config, tmp_path / "two", processes)

    first, _ = joined(broken, told=FSDP if shards_first else None)
    assert "Lost: another process of this training ended before its time" in str(first)
    again = [train(config, tmp_path / "two")] * 2 if shards_first else joined(resumed, told=FSDP)
    agree(alone, again)
    assert again[0].resumed_at == [2]


def test_an_error_of_one_is_told_by_all_that_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other has its half of a layer, and no more."""
    monkeypatch.setattr(sharded, "PATIENCE", A_MOMENT)
    config = config_of(**DRAWING)

    def twice(processes: Processes) -> list[str]:
        return [failure(config, tmp_path / name, processes) for name in ("two", "more")]

    said = joined(twice, told=FSDP)
    assert [first for first, _ in said] == [
        "process 1: ValueError: no such word",
        "no such word",
    ]
    for _, then in said:
        assert "a process failed amid a step of an earlier training" in then


def failure(config: TrainingConfig, folder: Path, processes: Processes) -> str:
    """Of a training whose second process has something to say."""
    with pytest.raises(Exception) as caught:
        train(config, folder, processes, method=FailsIn1)
    return str(caught.value)


# -- what cannot be ------------------------------------------------------------------------------


def test_what_is_trained_beside_a_model_has_no_shards(tmp_path: Path) -> None:
    config = build(Cagul.Config, {"steps": 2, "batch_size": 4, "micro_batch": 2}, where="test")
    said = joined(
        lambda all_: train(
            config, tmp_path / "two", all_, method=Cagul, make_pools=image_pools  # type: ignore[arg-type]
        ),
        told=FSDP,
    )  # fmt: skip
    for one in said:
        assert "UserError: shards (FSDP) are of the model's own layers, and beside them" in str(one)


def test_rounded_weights_have_no_shards() -> None:
    model = untrained()
    model.precision = "nf4"
    with pytest.raises(UserError, match="nf4 weights have no shards"):
        sharded.check_shardable(model, {})


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, "DeepSpeed is not offered: distributed_type: FSDP"),
        (FSDP | {"FSDP_VERSION": "1"}, "first version is not offered: say .* fsdp_version: 2"),
        (FSDP | {"FSDP_OFFLOAD_PARAMS": "true"}, "fsdp_offload_params true: weights stay"),
        (
            FSDP | {"FSDP_ACTIVATION_CHECKPOINTING": "true"},
            "--gradient-checkpointing does that; say false",
        ),
        (FSDP | {"FSDP_RESHARD_AFTER_FORWARD": "FULL_SHARD"}, "full_shard: .*; say true or false"),
    ],
)
def test_what_is_not_offered_is_one_line(
    told: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ({"RANK": "0", "WORLD_SIZE": "2"} | told).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=words):
        join("cpu")
