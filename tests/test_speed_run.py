"""Where the seconds of a run go, and what the harness adds to loops that do the same."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from live_models import HARMFUL, sample, untrained
from speed_parts import SMALL, task_of, valid

from benchmark.cli import main
from benchmark.core import environment
from benchmark.core.errors import RunFailed
from benchmark.core.records import StepLog
from benchmark.core.store import JsonLines
from benchmark.cost.timeline import Span, Timeline
from benchmark.engines.local import LocalEngine
from benchmark.runner import RunRequest
from benchmark.speed import ours
from benchmark.speed.bare import BARE, Turns, generate_bare, train_bare
from benchmark.speed.figures import Overhead, Part, WholeFigures
from benchmark.speed.overhead import BESIDE, Alternating, Took, check_same_answers, check_same_loss
from benchmark.speed.overhead import _overheads as measured_overheads
from benchmark.speed.printed import whole_lines
from benchmark.speed.subject import draw_pools, save_subject
from benchmark.speed.whole import parts_of, run_whole
from benchmark.stages.attempt import unlearn
from benchmark.testbed.architectures import LLAVA
from benchmark.training.loop import Loop
from benchmark.training.losslog import LOSSES
from benchmark.vlm.loading import load_model

SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"


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


def test_the_bare_loop_is_the_training_of_the_harness(tmp_path):
    checkpoint = tmp_path / "subject"
    save_subject(checkpoint, SMALL)
    task = task_of(checkpoint)
    method, timeline = ours.method_of(task), Timeline()
    model = load_model(checkpoint, name="subject")
    pools = draw_pools(model, n_samples=task.n_samples, seed=0)
    turns = train_bare(method, model, pools, seed=0, timeline=timeline)
    bare = turns.rest()
    # What the reference says, then the steps.
    assert [one.path for one in timeline.spans] == [(BARE,)] * (1 + method.config.steps)
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
    LLAVA.untrained(0, vision_layers=1, language_layers=1).save_pretrained(tmp_path)
    LLAVA.processor().save_pretrained(tmp_path)
    request = RunRequest(
        method="textual_unlearning", model=str(tmp_path), suite=str(SUITE), limit=1, device="cpu",
        overrides={"steps": 2, "batch_size": 4},
    )  # fmt: skip
    found, n_threads = measured_overheads(request, 1)
    assert [one.stage for one in found] == ["train", "generate"] and n_threads == 1
    for one in found:
        expected = one.stage_s.median / one.bare_s.median - 1
        assert one.share.low == one.share.high == pytest.approx(expected)


def test_a_side_is_charged_for_its_own_turns_alone():
    spans = [
        span("load model", at=0, own_s=100.0),
        span("train", "beside", "bare", at=2, own_s=3.0),
        span("train", "beside", at=2, own_s=50.0),
        span("train", at=1, own_s=8.0),
        span("bare", at=9, own_s=4.0),
    ]
    assert Took.of(spans, "train") == Took(stage_s=8, bare_s=7, stage_core_s=8, bare_core_s=7)


@pytest.mark.parametrize(("ahead", "order"), [(False, "sbsbb"), (True, "bsbsb")])
def test_the_bare_loop_takes_a_turn_after_each_of_the_stage(ahead, order):
    done, timeline = [], Timeline()

    def loop():
        for _ in range(3):
            with timeline.doing(BARE):
                done.append("b")
            yield
        return "outcome"

    bare = Turns(loop())
    if ahead:
        bare.take()
    reporter = Alternating(bare, timeline=timeline, device="cpu")
    with timeline.doing("stage"), reporter.bar("stage", total=2) as advance:
        for n_done in (1, 2):
            done.append("s")
            advance(n_done, "")
    assert bare.rest() == "outcome" and not bare.take()
    assert "".join(done) == order
    beside = [one for one in timeline.spans if one.path == ("stage", BESIDE, BARE)]
    assert len(beside) == 2


def test_bare_generation_follows_the_engine_or_is_refused():
    model, asked = untrained(), [sample(name) for name in HARMFUL[:2]]
    engine = LocalEngine(model, max_new_tokens=6)
    answered = {response.sample_id: response for response in engine.answer(asked)}
    timeline = Timeline()
    check_same_answers(answered, generate_bare(engine, [asked], timeline=timeline).rest())
    assert [one.path for one in timeline.spans] == [(BARE,)]
    # An engine that stops elsewhere.
    shorter = LocalEngine(model, max_new_tokens=3)
    bare = generate_bare(shorter, [asked], timeline=timeline).rest()
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
