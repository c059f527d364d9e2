"""Seconds, wasted seconds and operations."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.core.records import StageCost
from benchmark.cost.clock import MemoryWatch, Stopwatch
from benchmark.cost.ledger import Ledger, LedgerLine, totals_of
from benchmark.cost.lending import Lending
from benchmark.cost.meter import Meter, total


def line(attempt: str, sign: str, seconds: float) -> LedgerLine:
    return LedgerLine(attempt=attempt, sign=sign, wall_s=seconds, device_s=2 * seconds)


def test_kept_and_wasted_seconds_by_hand() -> None:
    """First attempt: kept until 4 s, killed after 7 s. Second: done in 3 s."""
    totals = totals_of(
        [
            line("a", "start", 0),
            line("a", "kept", 4),
            line("a", "alive", 7),
            line("b", "start", 0),
            line("b", "end", 3),
        ]
    )
    assert (totals.wall_s, totals.device_s, totals.wasted_s) == (7.0, 14.0, 6.0)


@given(st.lists(st.sampled_from(["alive", "kept", "failed", "end"]), max_size=8))
def test_every_second_is_kept_or_wasted(signs: list[str]) -> None:
    lines = [line("a", "start", 0)] + [line("a", s, i + 1) for i, s in enumerate(signs)]
    totals = totals_of(lines)
    assert totals.device_s + totals.wasted_s == 2 * len(signs)


def test_a_stage_on_the_cpu(tmp_path: Path) -> None:
    meter = Meter(tmp_path / "cost.jsonl", device="cpu")
    with meter.running():
        began = time.process_time()
        while time.process_time() - began < 0.1:
            sum(range(1000))
    cost = meter.cost(input_tokens=7, output_tokens=3)
    assert cost.device_s >= 0.1
    assert cost.wall_s >= 0.06
    assert cost.wasted_s == 0
    assert cost.peak_memory_bytes > 10_000_000
    assert (cost.input_tokens, cost.output_tokens) == (7, 3)


def test_a_child_at_work_counts_before_it_has_ended() -> None:
    watch = Stopwatch("cpu")
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        deadline = time.monotonic() + 20
        while watch.read()[1] < 0.2 and time.monotonic() < deadline:
            time.sleep(0.05)
        _, running = watch.read()
        child.kill()
    assert running >= 0.2
    assert watch.read()[1] >= running - 0.02


def test_what_an_earlier_stage_freed_is_not_memory_in_use() -> None:
    """In a process of its own, where freed memory is kept as it is where a small model answers."""
    code = (
        "from benchmark.cost.allocator import keep_freed_memory\n"
        "from benchmark.cost.clock import MemoryWatch\n"
        "keep_freed_memory()\n"
        "blocks = [bytes(10**5) for _ in range(4000)]\n"
        "del blocks\n"
        "watch = MemoryWatch('cpu')\n"
        "watch.look()\n"
        "print(watch.peak_bytes)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200 * 10**6


def test_nothing_was_in_use_before_the_first_look() -> None:
    assert MemoryWatch("cpu").peak_bytes is None


class StoppedLending(Lending):
    """One whose things take the seconds that are said, whatever the machine does."""

    def __init__(self, *, each_wall_s: float, each_device_s: float) -> None:
        super().__init__("cpu")
        self._each = each_wall_s, each_device_s

    def make(self, *names: str) -> None:
        with self.making(names):
            pass
        self._wall_s = self._n_ever_made * self._each[0]
        self._device_s = self._n_ever_made * self._each[1]


def test_a_stage_is_charged_for_what_it_borrowed_and_not_for_what_it_made(tmp_path: Path) -> None:
    lending = StoppedLending(each_wall_s=100.0, each_device_s=300.0)
    lending.make("a", "b")
    meter = Meter(tmp_path / "cost.jsonl", device="cpu", lendings=(lending,))
    with meter.running():
        lending.use("a")
        lending.use("a")
        lending.make("c")
        lending.use("c")
    assert lending.n_needed == 2
    assert lending.bill() == (100.0, 300.0)
    assert 100 <= meter.cost().wall_s < 110
    assert 300 <= meter.cost().device_s < 310


def test_a_killed_attempt_has_paid_for_what_it_borrowed(tmp_path: Path) -> None:
    """It keeps half, and is abandoned; the attempt that goes on borrows nothing."""
    lending = StoppedLending(each_wall_s=100.0, each_device_s=300.0)
    lending.make("a")
    path = tmp_path / "cost.jsonl"

    def borrow_and_break_off() -> None:
        first = Meter(path, device="cpu", lendings=(lending,))
        with first.running():
            lending.use("a")
            first.beat()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        borrow_and_break_off()
    second = Meter(path, device="cpu", lendings=(lending,))
    with second.running():
        pass
    assert 300 <= second.cost().device_s < 310


def test_what_was_made_before_a_failure_can_be_paid_for() -> None:
    lending = StoppedLending(each_wall_s=1.0, each_device_s=2.0)
    made: list[str] = []

    def make_one_of_two() -> None:
        with lending.making(made):
            made.append("a")
            raise RuntimeError("the second image cannot be read")

    with pytest.raises(RuntimeError, match="second"):
        make_one_of_two()
    lending.open()
    lending.use("a")
    assert lending.n_needed == 1
    assert lending.bill() != (0.0, 0.0)


def test_the_next_stage_pays_for_the_same_thing_again() -> None:
    lending = StoppedLending(each_wall_s=1.0, each_device_s=2.0)
    lending.make("a")
    for _ in range(2):
        lending.open()
        assert lending.bill() == (0.0, 0.0)
        lending.use("a")
        assert lending.bill() == (1.0, 2.0)


def test_a_failed_attempt_is_wasted_and_the_next_one_adds_up(tmp_path: Path) -> None:
    path = tmp_path / "cost.jsonl"

    def fail() -> None:
        with Meter(path, device="cpu").running():
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail()
    assert Ledger(path).totals().wall_s == 0
    meter = Meter(path, device="cpu")
    with meter.running():
        time.sleep(0.02)
        meter.beat()
    assert 0.02 <= meter.cost().wall_s < 1


def test_parts_add_up_and_what_one_lacks_is_left_out() -> None:
    first = StageCost(wall_s=1, device_s=2, peak_memory_bytes=5, input_tokens=7, wasted_s=1)
    second = StageCost(wall_s=3, device_s=4, peak_memory_bytes=4, input_tokens=1, output_tokens=9)
    both = total([first, second])
    assert (both.wall_s, both.device_s, both.wasted_s, both.peak_memory_bytes) == (4, 6, 1, 5)
    assert (both.input_tokens, both.output_tokens) == (8, None)
    assert total([]).device_s == 0


def test_a_killed_attempt_shows_as_waste(tmp_path: Path) -> None:
    path = tmp_path / "cost.jsonl"
    code = (
        "import sys, pathlib\n"
        "from benchmark.cost import meter\n"
        "meter.LOOK_EVERY_S, meter.WRITE_EVERY_LOOKS = 0.02, 1\n"
        "m = meter.Meter(pathlib.Path(sys.argv[1]), device='cpu')\n"
        "with m.running():\n"
        "    print('up', flush=True)\n"
        "    while True: sum(range(10000))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, cwd=Path.cwd()
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        # Not a stretch of time: on a busy machine the watcher may come to its turn late.
        until = time.monotonic() + 60
        while '"alive"' not in path.read_text():
            assert child.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        os.kill(child.pid, signal.SIGKILL)
    totals = Ledger(path).totals()
    assert totals.device_s == 0
    assert totals.wasted_s > 0
