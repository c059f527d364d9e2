"""The two sides of the speed comparison compute the same, and what is printed of them fits."""

from __future__ import annotations

import copy
import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from live_models import HARMFUL, sample, untrained
from torch import Tensor

from benchmark.cli import main
from benchmark.commands.output import adapter_of
from benchmark.core import environment
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.records import StepLog
from benchmark.core.store import JsonLines
from benchmark.core.verdicts import Stored
from benchmark.cost.timeline import Span, Timeline
from benchmark.engines.local import LocalEngine
from benchmark.runner import RunRequest
from benchmark.speed import memory, neighbours, ours
from benchmark.speed import step as comparing
from benchmark.speed.bare import BARE, generate_bare, train_bare
from benchmark.speed.figures import Overhead, Part, WholeFigures
from benchmark.speed.memory import PeakMemory
from benchmark.speed.overhead import _overheads as measured_overheads
from benchmark.speed.overhead import check_same_answers, check_same_loss
from benchmark.speed.printed import step_lines, whole_lines
from benchmark.speed.side import (
    OutOfMemory,
    Problem,
    Round,
    SideProcess,
    is_out_of_memory,
    one_round,
)
from benchmark.speed.step import StepRequest, compare, ratio
from benchmark.speed.subject import Sizes, draw_pools, head_share, save_subject
from benchmark.speed.task import Task
from benchmark.speed.whole import parts_of, run_whole
from benchmark.stages.attempt import unlearn
from benchmark.testbed.build import build_processor, build_untrained
from benchmark.training.batches import PoolBatch
from benchmark.training.counting import Counted, Counting
from benchmark.training.loop import LOSSES, Loop
from benchmark.training.reference import Reference
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions

SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"
SMALL = Sizes(vocabulary=300, hidden=64, layers=2)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subject")
    save_subject(folder, SMALL)
    return folder


def task_of(checkpoint: Path, **changes: object) -> Task:
    task = Task(
        checkpoint=checkpoint, term="kl", tuning="lora", n_samples=8, batch_size=4, steps=4,
        device="cpu", precision="fp32", length_spread=0.8, n_threads=None,
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


def test_the_peak_is_kept_of_what_is_gone_again():
    peak = PeakMemory("cpu")
    n_bytes = 64 * 1024**2
    np.ones(n_bytes, dtype=np.uint8).sum()
    assert peak.peak_bytes is not None
    assert peak.peak_bytes - peak.resting_bytes > 0.9 * n_bytes


class InThisProcess:
    """A side without a process of its own."""

    def __init__(self, side: str, task: Task) -> None:
        self.side, self._task = side, task
        self._how = {"ours": ours, "neighbours": neighbours}[side]
        self._perceptions = Perceptions()

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def round(self, *, steps: int) -> Round:
        task = replace(self._task, steps=steps)
        return one_round(self._how, task, perceptions=self._perceptions)


TINY = StepRequest(
    sizes=SMALL, model=None, terms=("kl", "npo"), tuning="lora", precision="fp32",
    length_spread=0.8, n_samples=4, batch_size=2, steps=2, repeats=1, device="cpu",
    n_threads=None,
)  # fmt: skip


def valid(command: str, found: Stored) -> None:
    """What the command prints as JSON is what `schema` says, and can be read again."""
    adapter = adapter_of(command)
    printed = adapter.dump_json(found)
    jsonschema.validate(json.loads(printed), adapter.json_schema(mode="serialization"))
    assert adapter.validate_json(printed) == found


def test_a_comparison_is_a_table_of_80_columns(monkeypatch):
    monkeypatch.setattr(comparing, "SideProcess", InThisProcess)
    said: list[str] = []
    found = compare(TINY, say=said.append)
    assert said == ["kl: repeat 1 of 1", "npo: repeat 1 of 1"]
    assert [term.term for term in found.terms] == ["kl", "npo"]
    valid("speed step", found)
    assert found.packages == environment.packages()
    lines = step_lines(found)
    assert max(map(len, lines)) <= 80, "\n".join(lines)
    assert sum("times the speed" in line for line in lines) == 2


class ForOursAlone(InThisProcess):
    """There is memory for a step of the neighbours, not for a round."""

    def round(self, *, steps: int) -> Round:
        if self.side == "neighbours" and steps > 1:
            raise OutOfMemory("neighbours", "was killed by SIGKILL, as where memory is short")
        return replace(super().round(steps=steps), peak_bytes=None)


def test_where_the_neighbours_have_too_little_memory_ours_is_kept(monkeypatch):
    monkeypatch.setattr(comparing, "SideProcess", ForOursAlone)
    found = compare(replace(TINY, terms=("kl",), repeats=2), say=lambda _: None)
    (term,) = found.terms
    assert term.ours.tokens_per_s.low > 0
    assert term.neighbours is term.speed_ratio is term.core_ratio is None
    assert term.memory_above_ratio is term.memory_total_ratio is term.ours.peak_bytes is None
    assert term.neighbours_ended is not None
    valid("speed step", found)
    lines = step_lines(found)
    assert max(map(len, lines)) <= 80, "\n".join(lines)
    assert "     neighbours  n/a: was killed by SIGKILL, as where memory is short" in lines
    assert "kl: n/a, without neighbours" in lines
    assert any(line.endswith("n/a        n/a") for line in lines), "a peak that nobody told"


def test_memory_that_is_not_known_or_nothing_has_no_ratio():
    assert ratio(10, 20) == 0.5
    assert ratio(0, 20) == 0.0
    assert ratio(10, 0) is ratio(None, 20) is ratio(10, None) is None


def test_a_system_that_cannot_begin_anew_tells_no_peak(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CLEAR_REFS", tmp_path / "no such folder" / "clear_refs")
    assert PeakMemory("cpu").peak_bytes is None


def test_a_side_in_its_process_says_what_stopped_it(tmp_path):
    save_subject(tmp_path, SMALL)
    with SideProcess("ours", task_of(tmp_path)) as side:
        done = side.round(steps=4)
        assert done.work.n_samples == 2 * 4 * 4 and len(done.step_s) == 4
        weights = tmp_path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        with pytest.raises(UserError, match=r"^model '.*' at .* cannot be loaded: SafetensorErr"):
            side.round(steps=4)
        os.kill(side._process.pid, signal.SIGKILL)
        with pytest.raises(OutOfMemory, match="'ours' was killed by SIGKILL, as where memory is"):
            side.round(steps=4)


def test_a_bug_on_a_side_keeps_its_traceback():
    try:
        ours.METHODS["nonsense"]
    except KeyError as error:
        told = Problem.of(error).as_error("ours")
    assert type(told) is RuntimeError
    assert str(told).startswith("in the process of 'ours':\nTraceback (most recent call last):")
    assert "KeyError: 'nonsense'" in str(told)
    assert str(Problem.of(RunFailed("it stopped")).as_error("ours")) == "it stopped"


def test_memory_that_cannot_be_had_is_no_bug():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)
    assert is_out_of_memory(MemoryError()) and not is_out_of_memory(RuntimeError("a bug"))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--hidden 100", "error: --hidden 100: it must be a multiple of 32, the size of a head"),
        ("--vocabulary 5", "error: --vocabulary 5: at least 100 are needed"),
        ("--layers 0", "error: --layers 0: at least 1 is needed"),
        ("--samples 12", "error: --samples 12: it must be a multiple of --batch-size 8"),
        (
            "--steps 9",
            "error: --steps 9: it must be a multiple of 4, the batches of an epoch, so that both "
            "sides see the same samples",
        ),
        ("--device cuda:99", "error: device 'cuda:99' is not there; there is auto, cpu"),
        ("--length-spread -1", "error: --length-spread -1.0: from 0 (all alike) to 3.0"),
        ("--length-spread nan", "error: --length-spread nan: from 0 (all alike) to 3.0"),
        (
            "--model testbed-llava --hidden 512 --layers 9",
            "error: --hidden: --model 'testbed-llava' has sizes of its own; give the one or the "
            "other",
        ),
        ("--term ppo", "error: Invalid value for '--term': 'ppo' is not one of"),
    ],
)
def test_a_mistake_is_one_line(capsys, arguments, line):
    assert main(["speed", "step", *arguments.split()]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(line)


def span(*path: str, at: float, own_s: float) -> Span:
    return Span(path=path, began_at=at, wall_s=own_s, own_s=own_s, own_core_s=own_s)


def test_the_parts_of_a_run_add_up_to_it():
    spans = [
        span("import", at=101.0, own_s=2.0),
        span("untouched model", "generate", at=104.0, own_s=3.0),
        span("untouched model", at=103.5, own_s=0.5),
        span("generate", "load model", at=107.5, own_s=1.0),
        span("generate", at=107.0, own_s=4.0),
    ]
    parts = parts_of(spans, began_at=100.0, total_s=14.0)
    assert [(part.what, part.untouched, part.wall_s) for part in parts] == [
        ("start Python", False, 1.0), ("import", False, 2.0), ("between, exit", True, 0.5),
        ("generate", True, 3.0), ("generate", False, 4.0), ("load model", False, 1.0),
        ("between, exit", False, 2.5),
    ]  # fmt: skip
    assert sum(part.wall_s for part in parts) == 14.0


def test_what_a_run_took_is_a_table_of_80_columns():
    figures = {"low": -0.12, "median": 0.01, "high": 0.02}
    seconds = {"low": 1000.0, "median": 1234.5, "high": 2000.0}
    found = WholeFigures(
        method="textual_unlearning", model="testbed-llava-unaligned", suite="testbed-safety",
        limit=20, repeats=3, first_line_s=0.5, total_s=14.0,
        parts=[
            Part(what="import", untouched=False, wall_s=4.0),
            Part(what="generate", untouched=False, wall_s=7.0),
            Part(what="generate", untouched=True, wall_s=3.0),
        ],
        overheads=[
            Overhead(stage=stage, stage_s=seconds, bare_s=seconds, share=figures,
                     core_share=figures)
            for stage in ("train", "generate")
        ],
        git=environment.git(), packages=environment.packages(),
        system=environment.system(device="cpu"),
    )  # fmt: skip
    valid("speed run", found)
    lines = whole_lines(found)
    assert max(map(len, lines)) <= 80, "\n".join(lines)
    assert "generate            7.00 s     3.00 s   71.4%" in lines


def test_the_bare_loop_is_the_training_of_the_harness(checkpoint, tmp_path):
    task = task_of(checkpoint)
    method, timeline = ours.method_of(task), Timeline()
    model = load_model(checkpoint, name="subject")
    pools = draw_pools(model, n_samples=task.n_samples, seed=0)
    bare = train_bare(method, model, pools, seed=0, timeline=timeline)
    assert [one.path for one in timeline.spans] == [(BARE,)]
    looped = load_model(checkpoint, name="subject")
    loop = Loop(
        model=looped, pools=pools, seed=0, folder=tmp_path,
        report=lambda *_, **__: None, checkpointed=lambda: None, checkpoint_every_s=math.inf,
    )  # fmt: skip
    unlearn(method, loop=loop, gold=ours._no_gold)
    assert JsonLines(tmp_path / f"train{LOSSES}").read(StepLog)[-1].total == bare
    for name, parameter in looped.trainable().items():
        assert torch.equal(parameter, model.trainable()[name]), name


def test_the_harness_stands_beside_loops_that_say_the_same(tmp_path):
    build_untrained(0, vision_layers=1, language_layers=1).save_pretrained(tmp_path)
    build_processor().save_pretrained(tmp_path)
    request = RunRequest(
        method="textual_unlearning", model=str(tmp_path), suite=str(SUITE), limit=1, device="cpu",
        overrides={"steps": 2, "batch_size": 4},
    )  # fmt: skip
    found, n_threads = measured_overheads(request, 1)
    assert [one.stage for one in found] == ["train", "generate"] and n_threads == 1
    for one in found:
        expected = one.stage_s.median / one.bare_s.median - 1
        assert one.share.low == one.share.high == pytest.approx(expected)


def test_bare_generation_follows_the_engine_or_is_refused():
    model, asked = untrained(), [sample(name) for name in HARMFUL[:2]]
    engine = LocalEngine(model, max_new_tokens=6)
    answered = {response.sample_id: response for response in engine.answer(asked)}
    timeline = Timeline()
    check_same_answers(answered, generate_bare(engine, [asked], timeline=timeline))
    assert [one.path for one in timeline.spans] == [(BARE,)]
    # An engine that stops elsewhere.
    shorter = LocalEngine(model, max_new_tokens=3)
    bare = generate_bare(shorter, [asked], timeline=timeline)
    with pytest.raises(RunFailed, match=r"in 2 of 2 samples, 'hand/train/ditupu' the first"):
        check_same_answers(answered, bare)
    with pytest.raises(RunFailed, match=r"another training than the stage"):
        check_same_loss(1.0, 2.0)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--method nonsense", "error: unknown method 'nonsense'"),
        ("--method npo,dpo", "error: --method 'npo,dpo': one at a time here"),
        ("--suite nonsense", "error: unknown suite 'nonsense'"),
        ("--method gold", "error: method 'gold' is not a loss alone; `speed run` takes one that"),
    ],
)
def test_a_run_that_cannot_be_measured_is_one_line(capsys, arguments, line):
    assert main(["speed", "run", *arguments.split()]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(line)


def test_a_run_that_fails_says_its_last_line(tmp_path, monkeypatch):
    request = RunRequest(method="textual_unlearning", suite="no suite", device="cpu")
    with pytest.raises(RunFailed, match=r"exit code 2: error: unknown suite 'no suite'"):
        run_whole(request)
