"""A comparison of steps: its memory, its sides as processes, what is printed of it."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from speed_parts import SMALL, TINY, InThisProcess, task_of, valid

from benchmark.cli import main
from benchmark.core import environment
from benchmark.core.errors import RunFailed, UserError
from benchmark.speed import memory, ours
from benchmark.speed import step as comparing
from benchmark.speed.memory import PeakMemory
from benchmark.speed.printed import step_lines
from benchmark.speed.side import (
    OutOfMemory,
    Problem,
    Round,
    SideProcess,
    is_out_of_memory,
)
from benchmark.speed.step import compare, ratio
from benchmark.speed.subject import save_subject


def test_the_peak_is_kept_of_what_is_gone_again():
    peak = PeakMemory("cpu")
    n_bytes = 64 * 1024**2
    np.ones(n_bytes, dtype=np.uint8).sum()
    assert peak.peak_bytes is not None
    assert peak.peak_bytes - peak.resting_bytes > 0.9 * n_bytes


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
