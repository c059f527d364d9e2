"""One training in several processes: the losses, weights and counts of one alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from joined import Gone, joined
from live_models import pool, pools, sample, untrained
from torch import Tensor

from benchmark.api import Job, LossMethod, TrainingConfig
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.records import StepLog
from benchmark.core.store import JsonLines
from benchmark.data.pools import Pool
from benchmark.training.batches import BatchPlan, make_batch
from benchmark.training.division import WHOLE, Division, Part
from benchmark.training.loop import Loop
from benchmark.training.processes import ALONE, Processes
from benchmark.training.step import LossValues
from methods.textual_unlearning import METHOD as TextualUnlearning

STEPS = 4
# One checkpoint, when the training is done: where none goes on, the others only take time.
ONCE_S = 1000.0


@dataclass(frozen=True)
class Trained:
    """What is left of a training in one process."""

    weights: dict[str, Tensor]
    counted: dict[str, Any]
    losses: list[StepLog]
    resumed_at: list[int]


def config_of(**settings: Any) -> TrainingConfig:
    base = {"steps": STEPS, "batch_size": 4, "learning_rate": 1e-3, "lora_rank": 4}
    return TextualUnlearning.Config(**base | settings)


def with_images(folder: Path) -> dict[str, Pool]:
    """Pools of which one shows some."""
    return pools(folder, images=True)


def train(
    config: TrainingConfig,
    folder: Path,
    processes: Processes = ALONE,
    *,
    method: type[LossMethod] = TextualUnlearning,
    recomputes: bool = False,
    make_pools: Callable[[Path], dict[str, Pool]] = with_images,
    checkpoint_every_s: float = 0.0,
) -> Trained:
    """By the shared loop, from a checkpoint in the folder if there is one."""
    folder.mkdir(exist_ok=True)
    model = untrained()
    model.recomputes = recomputes
    loop = Loop(
        model=model, pools=make_pools(folder.parent / "images"), seed=7, folder=folder,
        report=lambda *_, **__: None, checkpointed=lambda: None,
        checkpoint_every_s=checkpoint_every_s, processes=processes,
    )  # fmt: skip
    job = Job(model=model, pools=loop.pools, seed=7, minimise=loop, gold=lambda: None)  # type: ignore[arg-type,return-value]
    with processes.training():
        method(config).unlearn(job)
    return Trained(
        weights={name: p.detach().clone() for name, p in model.trainable().items()},
        counted=vars(loop.counted),
        losses=JsonLines(folder / "train.losses.jsonl").read(StepLog),
        resumed_at=loop.resumed_at,
    )


def both(config: TrainingConfig, folder: Path, **how: Any) -> tuple[Trained, Trained]:
    """Trained by one process, and by two."""
    how = {"checkpoint_every_s": ONCE_S} | how
    alone = train(config, folder / "alone", **how)
    first, second = joined(lambda processes: train(config, folder / "two", processes, **how))
    assert isinstance(first, Trained) and isinstance(second, Trained), (first, second)
    assert all(torch.equal(first.weights[n], second.weights[n]) for n in first.weights)
    assert first.counted == alone.counted
    return alone, first


# Draws of every kind: dropout from torch, answers of others from the batch's own generator.
DRAWING = {"lora_dropout": 0.1, "helpful": "mismatched", "micro_batch": 2}


@pytest.mark.parametrize("recomputes", [False, True])
def test_two_processes_are_one_that_takes_two_parts_to_the_last_bit(
    recomputes: bool, tmp_path: Path
) -> None:
    alone, two = both(config_of(**DRAWING), tmp_path, recomputes=recomputes)
    assert two.losses == alone.losses and len(alone.losses) == STEPS
    for name, weight in alone.weights.items():
        assert torch.equal(two.weights[name], weight), name


def test_two_processes_with_two_parts_each_are_one_with_four(tmp_path: Path) -> None:
    """Their gradients are added up in another order: equal but for rounding."""
    config = config_of(micro_batch=1, trains={"language": "full"}, learning_rate=1e-4)
    alone, two = both(config, tmp_path)
    for mine, theirs in zip(alone.losses, two.losses, strict=True):
        assert theirs.total == pytest.approx(mine.total, rel=1e-4)
        assert theirs.terms == pytest.approx(mine.terms, rel=1e-3, abs=1e-5)
    before = dict(untrained().hf.named_parameters())
    for name, weight in alone.weights.items():
        moved = (weight - before[name]).norm()
        assert (two.weights[name] - weight).norm() <= 1e-2 * moved, name


class EndsIn1(TextualUnlearning):
    """Whose second process is gone in its third step."""

    steps_left = 3

    def losses(self, model, batch, reference):
        type(self).steps_left -= 1
        if not self.steps_left and os.environ.get("RANK") == "1":
            os._exit(9)
        return super().losses(model, batch, reference)


def test_where_one_dies_the_other_says_so_and_one_alone_goes_on(tmp_path: Path) -> None:
    config = config_of(**DRAWING)
    alone = train(config, tmp_path / "alone")
    first, second = joined(lambda all_: train(config, tmp_path / "two", all_, method=EndsIn1))
    assert isinstance(second, Gone)
    assert "Lost: another process of this training ended before its time" in str(first)
    resumed = train(config, tmp_path / "two")
    assert resumed.resumed_at == [2]
    assert resumed.losses == alone.losses
    assert resumed.counted["n_tokens"] == alone.counted["n_tokens"]
    for name, weight in alone.weights.items():
        assert torch.equal(resumed.weights[name], weight), name


def test_what_a_resumed_training_repeats_is_counted_whoever_does(tmp_path: Path) -> None:
    """Before full fine-tuning the reference is asked everything, and again when it goes on."""
    config = config_of(**DRAWING, trains={"language": "full"})
    whole = train(config, tmp_path / "alone")
    joined(lambda all_: train(config, tmp_path / "one", all_, method=EndsIn1))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    one = train(config, tmp_path / "one")
    two, _ = joined(lambda all_: train(config, tmp_path / "two", all_))
    assert one.resumed_at == two.resumed_at == [2]
    assert one.counted["flops"] == two.counted["flops"] > whole.counted["flops"]


class FailsIn1(TextualUnlearning):
    """Whose second process has something to say."""

    def losses(self, model, batch, reference):
        if os.environ.get("RANK") == "1":
            raise ValueError("no such word")
        return super().losses(model, batch, reference)


def test_an_error_of_one_is_told_by_all(tmp_path: Path) -> None:
    config = config_of(**DRAWING)
    said = joined(lambda all_: train(config, tmp_path / "two", all_, method=FailsIn1))
    assert [str(one) for one in said] == [
        "_Told: process 1: ValueError: no such word",
        "ValueError: no such word",
    ]


# -- how a batch is divided ---------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 4])
def test_every_part_is_computed_once_whoever_does(n: int) -> None:
    config = TrainingConfig(batch_size=8, micro_batch=2)
    each = [Division.of(config, "train", index=index, n_processes=n) for index in range(n)]
    assert sorted(part.index for one in each for part in one.mine) == [0, 1, 2, 3]
    assert {2 * one.accumulation * n for one in each} == {8}, "the effective batch"
    assert sum(one.share * one.accumulation for one in each) == 1


def test_a_batch_that_cannot_be_divided_is_one_line() -> None:
    with pytest.raises(UserError, match="micro-batches of 3 take 3 samples at once, and a batch"):
        Division.of(TrainingConfig(batch_size=8, micro_batch=3), "train", index=0, n_processes=1)
    with pytest.raises(UserError, match="in 3 processes take 6 samples .* x processes is the"):
        Division.of(TrainingConfig(batch_size=8, micro_batch=2), "gate", index=0, n_processes=3)


def test_a_pool_smaller_than_a_batch_gives_every_part_as_many() -> None:
    few = pool("keep", [sample(name) for name in ("lamito", "ronevi", "fadoku")])
    plan = {"batch_size": 16, "n_steps": 3, "seed": 1, "length_of": lambda s: len(s.prompt)}
    assert [len(batch) for batch in BatchPlan(few, n_parts=1, **plan).batches] == [3, 3, 3]
    assert [len(batch) for batch in BatchPlan(few, n_parts=2, **plan).batches] == [2, 2, 2]
    with pytest.raises(UserError, match="pool 'keep' has 3 samples, fewer than the 4 micro-batc"):
        BatchPlan(few, n_parts=4, **plan)


def test_parts_draw_apart_and_a_whole_batch_as_before(tmp_path: Path) -> None:
    forget = pools(tmp_path)["forget"]
    plan = BatchPlan(forget, batch_size=4, n_steps=2, seed=0, length_of=lambda s: len(s.prompt))
    whole, first, second = (
        make_batch({"forget": plan}, step=1, seed=3, view_of=None, part=part)["forget"]  # type: ignore[arg-type]
        for part in (WHOLE, Part(0, 2), Part(1, 2))
    )
    assert first.samples + second.samples == whole.samples == tuple(plan.samples(1))
    assert len({batch.rng.random() for batch in (whole, first, second)}) == 3
    torch.manual_seed(0)
    undisturbed = torch.get_rng_state()
    WHOLE.seed(3, phase="train", step=1)
    assert torch.equal(torch.get_rng_state(), undisturbed)
    drawn = []
    for part in (Part(0, 2), Part(1, 2), Part(0, 2)):
        part.seed(3, phase="train", step=1)
        drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[2] != drawn[1]


def test_micro_batches_as_large_as_the_batch_change_nothing(tmp_path: Path) -> None:
    settings = DRAWING | {"micro_batch": None}
    first = train(config_of(**settings), tmp_path / "a")
    second = train(config_of(**settings | {"micro_batch": 4}), tmp_path / "b")
    assert first.losses == second.losses
    assert all(torch.equal(first.weights[n], second.weights[n]) for n in first.weights)


def test_the_losses_of_a_step_are_the_mean_of_its_parts() -> None:
    parts = [LossValues(total=t, terms={"keep": t / 2}) for t in (1.0, 2.0, 6.0)]
    assert LossValues.mean(parts) == LossValues(total=3.0, terms={"keep": 1.5})


def test_alone_agrees_with_itself() -> None:
    def fails() -> None:
        with ALONE.training():
            raise RunFailed("as it is")

    with pytest.raises(RunFailed, match="as it is"):
        fails()
    assert ALONE.exchange("mine") == ["mine"] and ALONE.bill() == (0.0, 0.0)


def test_settings_without_micro_batches_are_called_what_they_were() -> None:
    from benchmark.core.config import build, to_json

    config = build(TrainingConfig, {}, where="here")
    assert "micro_batch" not in to_json(config)
    assert to_json(replace(config, micro_batch=2))["micro_batch"] == 2
    with pytest.raises(UserError, match="micro_batch = 0: should be greater than or equal to 1"):
        build(TrainingConfig, {"micro_batch": 0}, where="here")
