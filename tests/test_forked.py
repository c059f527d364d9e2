"""Work in a fork, and questions to a fresh interpreter: whatever happens there stays there."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from benchmark.core.errors import RunFailed
from benchmark.core.forked import RaisedInFork, in_fork
from benchmark.core.fresh import answer_fresh, ask_fresh

A_WHILE_S = 60.0


def prints() -> str:
    print("hi")
    os.system("printf hi")
    sys.stdout.flush()
    return "said"


@pytest.mark.parametrize("work", [lambda: [1, {"a": None}], prints, lambda: "x" * 1_000_000])
def test_what_work_returns_comes_back_whatever_is_printed(work: Callable[[], Any]) -> None:
    assert in_fork(work, timeout_s=A_WHILE_S) == work()


def test_what_it_changes_stays_there() -> None:
    seen: list[int] = []
    in_fork(lambda: seen.append(1), timeout_s=A_WHILE_S)
    assert seen == []


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no key\nand more"), "ValueError: no key"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_what_is_raised_is_told_in_one_line(error: BaseException, line: str) -> None:
    def raises() -> None:
        raise error

    with pytest.raises(RaisedInFork) as caught:
        in_fork(raises, timeout_s=A_WHILE_S)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("ends", "code"),
    [(lambda: os._exit(0), 0), (lambda: os.kill(os.getpid(), signal.SIGKILL), -9)],
)
def test_one_that_dies_without_an_answer_is_told_by_its_exit_code(
    ends: Callable[[], None], code: int
) -> None:
    with pytest.raises(ChildProcessError) as caught:
        in_fork(ends, timeout_s=A_WHILE_S)
    assert caught.value.errno == code


def deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(A_WHILE_S)


def test_what_no_json_can_hold_is_told() -> None:
    with pytest.raises(RaisedInFork, match="TypeError: Object of type set"):
        in_fork(lambda: {1}, timeout_s=A_WHILE_S)


def test_one_that_hangs_is_killed_with_what_it_started() -> None:
    reading, writing = os.pipe()

    def leaves_one_behind() -> None:
        if os.fork() == 0:
            deaf()
        deaf()

    with pytest.raises(TimeoutError):
        in_fork(leaves_one_behind, timeout_s=0.2)
    os.close(writing)
    # The end of the pipe comes when nobody holds the other one any more.
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_one_answer_is_taken_however_many_come() -> None:
    def returns_twice() -> str:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        return "once"

    assert in_fork(returns_twice, timeout_s=A_WHILE_S) == "once"


def test_a_fork_leaves_no_descriptor_behind() -> None:
    before = len(os.listdir("/proc/self/fd"))
    in_fork(lambda: 1, timeout_s=A_WHILE_S)
    with pytest.raises(RaisedInFork):
        in_fork(lambda: 1 / 0, timeout_s=A_WHILE_S)
    assert len(os.listdir("/proc/self/fd")) == before


def main() -> None:
    """Asked in a fresh interpreter."""

    def answer(asked: Any) -> Any:
        print("amid")
        if asked == "what nobody can":
            raise LookupError("nobody can")
        return [asked, "benchmark.cli" in sys.modules]

    answer_fresh(answer)


def test_a_fresh_interpreter_answers_past_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    assert ask_fresh("test_forked", {"a": 1}) == [{"a": 1}, False]
    with pytest.raises(RunFailed, match="LookupError: nobody can"):
        ask_fresh("test_forked", "what nobody can")
