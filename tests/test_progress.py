"""What a run says of itself where nobody sees a bar: a line a minute, and nothing of short ones."""

from __future__ import annotations

import pytest

from benchmark.progress import Reporter


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds since some beginning."""
        return self.now


def test_a_long_training_says_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Reporter(clock=clock).bar("train", total=100) as advance:
        for step in range(1, 101):
            clock.now += 7
            advance(step, f"loss {1 / step:.3f}", 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "train",
        "train: 9 of 100, loss 0.111, about 11 min left",
        "train: 18 of 100, loss 0.056, about 10 min left",
    ]
    assert lines[-1] == "train: 99 of 100, loss 0.010, about half a min left"
    assert len(lines) == 1 + 700 // 63


def test_a_short_one_says_its_name_alone(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Reporter(clock=clock).bar("generate", total=59) as advance:
        for step in range(1, 60):
            clock.now += 1
            advance(step, "")
    assert capsys.readouterr().err.splitlines() == ["generate"]


def test_what_was_there_before_and_another_phase_do_not_mend_the_rate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    with Reporter(clock=clock).bar("train", total=0) as advance:
        # Resumed at 400 of 500: a minute a step, and the first says nothing of the rate.
        for phase, steps in (("gate", (401, 402, 403)), ("encoder", (1, 2))):
            for step in steps:
                clock.now += 60
                advance(step, f"{phase}, loss 1.000", 500)
    assert capsys.readouterr().err.splitlines() == [
        "train: 401 of 500, gate, loss 1.000",
        "train: 402 of 500, gate, loss 1.000, about 98 min left",
        "train: 403 of 500, gate, loss 1.000, about 97 min left",
        "train: 1 of 500, encoder, loss 1.000",
        "train: 2 of 500, encoder, loss 1.000, about 498 min left",
    ]


def test_a_quiet_one_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Reporter(quiet=True, clock=clock).bar("train", total=2) as advance:
        clock.now += 600
        advance(1, "")
    assert capsys.readouterr().err == ""
