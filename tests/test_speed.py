"""The two sides of the speed comparison compute the same, and what is printed of them fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.cli import main
from benchmark.core import environment
from benchmark.speed import neighbours, ours
from benchmark.speed import step as comparing
from benchmark.speed.memory import PeakMemory
from benchmark.speed.printed import step_lines
from benchmark.speed.side import Round, one_round
from benchmark.speed.step import StepRequest, compare
from benchmark.speed.subject import Sizes, draw_pools, save_subject
from benchmark.speed.task import Task
from benchmark.training.batches import PoolBatch
from benchmark.training.counting import Counted, Counting
from benchmark.training.reference import Reference
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions

SMALL = Sizes(vocabulary=300, hidden=64, layers=2)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subject")
    save_subject(folder, SMALL)
    return folder


def task_of(checkpoint: Path, **changes: object) -> Task:
    task = Task(
        checkpoint=checkpoint, term="kl", tuning="lora", n_samples=8, batch_size=4, steps=4,
        device="cpu", precision="fp32", n_threads=None,
    )  # fmt: skip
    return replace(task, **changes)  # type: ignore[arg-type]


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
    reference.fill()
    view_of = Counting(Counted(), model, method.config).view
    batch = {
        role: PoolBatch(role=role, samples=pool.samples, view_of=view_of, rng=None)  # type: ignore[arg-type]
        for role, pool in pools.items()
    }
    return dict(method.losses(moved(model), batch, reference))


def their_terms(model: VisionLanguageModel, task: Task) -> dict[str, Tensor]:
    import copy

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
    models = [load_model(checkpoint, name="subject") for _ in range(2)]
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
    rounds = [one_round(side.train, task, perceptions=perceptions) for side in (ours, neighbours)]
    assert rounds[0].work == rounds[1].work
    assert rounds[0].work.n_samples == 2 * 4 * 4
    assert all(len(done.step_s) == task.steps for done in rounds)
    assert all(sum(done.step_s) <= done.total_s * 1.001 for done in rounds)
    assert rounds[0].n_parameters == rounds[1].n_parameters


def test_the_peak_is_kept_of_what_is_gone_again():
    memory = PeakMemory("cpu")
    n_bytes = 64 * 1024**2
    np.ones(n_bytes, dtype=np.uint8).sum()
    assert memory.peak_bytes - memory.resting_bytes > 0.9 * n_bytes


class InThisProcess:
    """A side without a process of its own."""

    def __init__(self, side: str, task: Task) -> None:
        self._train, self._task = {"ours": ours, "neighbours": neighbours}[side].train, task
        self._perceptions = Perceptions()

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def round(self, *, steps: int) -> Round:
        task = replace(self._task, steps=steps)
        return one_round(self._train, task, perceptions=self._perceptions)


def test_a_comparison_is_a_table_of_80_columns(monkeypatch):
    monkeypatch.setattr(comparing, "SideProcess", InThisProcess)
    said: list[str] = []
    request = StepRequest(
        sizes=SMALL, model=None, terms=("kl", "npo"), tuning="lora", precision="fp32",
        n_samples=4, batch_size=2, steps=2, repeats=2, device="cpu", n_threads=None,
    )  # fmt: skip
    found = compare(request, say=said.append)
    assert said == [f"{t}: repeat {n} of 2" for t in ("kl", "npo") for n in (1, 2)]
    assert [term.term for term in found.terms] == ["kl", "npo"]
    assert type(found).model_validate_json(found.model_dump_json()) == found
    assert found.packages == environment.packages()
    lines = step_lines(found)
    assert max(map(len, lines)) <= 80, "\n".join(lines)
    assert sum("times the speed" in line for line in lines) == 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--hidden 100", "error: --hidden 100: it must be a multiple of 32, the size of a head"),
        ("--vocabulary 5", "error: --vocabulary 5: at least 100 are needed"),
        ("--layers 0", "error: --layers 0: at least 1 is needed"),
        ("--samples 12", "error: --samples 12: it must be a multiple of --batch-size 8"),
        (
            "--steps 9",
            "error: --steps 9: it must be a multiple of 8, the batches of an epoch, so that both "
            "sides see the same samples",
        ),
        ("--device cuda:99", "error: device 'cuda:99' is not there; there is auto, cpu"),
        ("--term ppo", "error: Invalid value for '--term': 'ppo' is not one of"),
    ],
)
def test_a_mistake_is_one_line(capsys, arguments, line):
    assert main(["speed", "step", *arguments.split()]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(line)
