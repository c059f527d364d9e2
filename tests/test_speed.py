"""The two sides of the speed comparison compute the same, on the same samples."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from speed_parts import SMALL, task_of
from torch import Tensor

from benchmark.speed import neighbours, ours
from benchmark.speed.side import (
    one_round,
)
from benchmark.speed.subject import draw_pools, head_share, save_subject
from benchmark.speed.task import Task
from benchmark.training.batches import PoolBatch
from benchmark.training.counting import Counted, Counting
from benchmark.training.reference import Reference
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subject")
    save_subject(folder, SMALL)
    return folder


def moved(model: VisionLanguageModel) -> VisionLanguageModel:
    """The model away from its reference, the same way on both sides."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


def gradients(model: VisionLanguageModel, terms: dict[str, Tensor]) -> dict[str, Tensor]:
    torch.stack(list(terms.values())).sum().backward()
    return {name: p.grad for name, p in model.trainable().items() if p.grad is not None}


def our_terms(model: VisionLanguageModel, task: Task) -> dict[str, Tensor]:
    method = ours.method_of(task)
    pools = draw_pools(model, n_samples=task.n_samples, seed=0)
    neighbours.make_student(model, task)
    reference = Reference(model, length_of=model.encoder.prompt_length)
    for role, kind in (("forget", "bad"), ("keep", "good")):
        samples = pools[role].samples
        reference.expect(samples, [getattr(sample.answers, kind) for sample in samples])
        reference.fill(samples)
    view_of = Counting(Counted(), model, method.config).view
    batch = {
        role: PoolBatch(role=role, samples=pool.samples, view_of=view_of, rng=None)  # type: ignore[arg-type]
        for role, pool in pools.items()
    }
    return dict(method.losses(moved(model), batch, reference))


def their_terms(model: VisionLanguageModel, task: Task) -> dict[str, Tensor]:
    pools = draw_pools(model, n_samples=task.n_samples, seed=0)
    reference = copy.deepcopy(model.hf).eval()
    student = neighbours.make_student(model, task)
    moved(model)
    forget = neighbours.collate(model, pools["forget"].samples, answer="bad")
    keep = neighbours.collate(model, pools["keep"].samples, answer="good")
    return neighbours.losses(task.term, student, reference, forget=forget, keep=keep)


@pytest.mark.parametrize("tuning", ["lora", "full"])
@pytest.mark.parametrize("term", ["kl", "npo"])
def test_both_sides_compute_the_same_terms_and_gradients(checkpoint, term, tuning):
    task = task_of(checkpoint, term=term, tuning=tuning)
    models = [side.load(task, Perceptions()) for side in (ours, neighbours)]
    mine, theirs = our_terms(models[0], task), their_terms(models[1], task)
    assert mine.keys() == theirs.keys() == {"forget", "keep"}
    if term == "kl":
        assert float(mine["keep"].detach()) > 1e-3, "the student is away from its reference"
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-4, atol=1e-5)
    of_mine, of_theirs = gradients(models[0], mine), gradients(models[1], theirs)
    assert of_mine.keys() == of_theirs.keys() and of_mine
    for name, gradient in of_mine.items():
        torch.testing.assert_close(gradient, of_theirs[name], rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_both_sides_see_the_same_samples_in_whole_epochs(checkpoint, tuning):
    task, perceptions = task_of(checkpoint, tuning=tuning), Perceptions()
    rounds = [one_round(side, task, perceptions=perceptions) for side in (ours, neighbours)]
    assert rounds[0].work == rounds[1].work
    assert rounds[0].work.n_samples == 2 * 4 * 4
    assert all(len(done.step_s) == task.steps for done in rounds)
    assert all(sum(done.step_s) <= done.total_s * 1.001 for done in rounds)
    assert rounds[0].n_parameters == rounds[1].n_parameters
    assert [done.keeps_reference for done in rounds] == [True, False]
    assert not rounds[1].keeps_freed_memory


def test_lengths_and_padding_are_those_of_the_samples(checkpoint):
    for spread in (0.0, 0.8):
        task = task_of(checkpoint, length_spread=spread, n_samples=16)
        mine, theirs = (
            one_round(side, task, perceptions=Perceptions()).work for side in (ours, neighbours)
        )
        lengths = mine.lengths
        assert lengths == theirs.lengths
        if spread:
            assert lengths.shortest < lengths.median < lengths.longest
            assert mine.n_tokens < mine.n_positions < theirs.n_positions
        else:
            assert lengths.shortest == lengths.longest
            assert mine.n_tokens == mine.n_positions == theirs.n_positions


def test_the_head_is_its_share_of_what_a_state_is_multiplied_with(checkpoint):
    # By layer: queries, keys, values, outputs, and three maps to and from 8/3 of the width.
    layer = 4 * 64 * 64 + 3 * 64 * (8 * 64 // 3)
    expected = 300 * 64 / (300 * 64 + 2 * layer)
    assert head_share(ours.load(task_of(checkpoint), Perceptions())) == expected
