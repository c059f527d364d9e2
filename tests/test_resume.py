"""Killed with SIGKILL while training and while answering, started again: as if nothing happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from live_models import untrained_checkpoint

from benchmark.core.records import Response, RunRecord
from benchmark.core.store import JsonLines

SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"
STEPS = 12
DEADLINE_S = 240


def command(results: Path) -> list[str]:
    return [
        sys.executable, "-m", "benchmark", "run", "--method", "textual_unlearning",
        "--model", str(untrained_checkpoint()), "--suite", str(SUITE), "--results", str(results),
        "--checkpoint-every", "0", "--set", f"steps={STEPS} batch_size=8 learning_rate=1e-2",
    ]  # fmt: skip


def run_until(results: Path, reached: Callable[[], bool]) -> bool:
    """Start the run and SIGKILL it, workers included, once `reached`; False if it ended before."""
    process = subprocess.Popen(
        command(results), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "the run did not get that far"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return True


def finish(results: Path) -> RunRecord:
    done = subprocess.run(command(results), capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    (path,) = results.glob("local/records/*/*/textual_unlearning+*/0.json")
    return RunRecord.model_validate_json(path.read_text())


def answers(results: Path) -> list[list[Response]]:
    paths = sorted(results.glob("local/stages/generate/*/answers.jsonl"))
    return [JsonLines(path).read(Response) for path in paths]


def n_lines(results: Path, pattern: str) -> int:
    return sum(path.read_bytes().count(b"\n") for path in results.glob(pattern))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, Path]:
    results = tmp_path_factory.mktemp("undisturbed")
    return finish(results), results


def test_killed_run_ends_like_an_undisturbed_one(
    undisturbed: tuple[RunRecord, Path], tmp_path: Path
) -> None:
    expected, whole = undisturbed
    results = tmp_path / "killed"
    checkpoint = "local/stages/train/*/train.checkpoint.pt"
    assert run_until(results, lambda: any(results.glob(checkpoint)))
    assert n_lines(results, "local/stages/train/*/train.losses.jsonl") < STEPS
    assert not list(results.glob("local/records/*/*/textual*/0.json"))
    own = f"local/stages/generate/{expected.keys.generate}/answers.jsonl"
    assert run_until(results, lambda: n_lines(results, own) > 0)
    assert 0 < n_lines(results, own) <= n_lines(whole, own)
    record = finish(results)
    assert record.training is not None and record.training.resumed_at_steps
    assert not any(results.glob(checkpoint)), "a finished training keeps no checkpoint"
    assert [s.model_dump() for s in record.scores] == [s.model_dump() for s in expected.scores]
    assert record.keys == expected.keys
    assert record.digests == expected.digests
    for log in answers(results):
        ids = [response.sample_id for response in log]
        assert len(ids) == len(set(ids)), "a sample was asked twice"
    n_asked = [len(log) for log in answers(results)]
    assert sorted(n_asked) == sorted(len(log) for log in answers(whole))


def test_the_same_run_again_asks_nothing_and_equals_itself(
    undisturbed: tuple[RunRecord, Path],
) -> None:
    expected, results = undisturbed
    stages = "local/stages/*/*/*"
    stamps = {path: path.stat().st_mtime_ns for path in results.glob(stages) if path.is_file()}
    again = finish(results)
    assert again.scores == expected.scores and again.keys == expected.keys
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert {path for path in results.glob(stages) if path.is_file()} == stamps.keys()


def test_two_runs_at_once_do_the_work_once(tmp_path: Path) -> None:
    results = tmp_path / "twice"
    both = [
        subprocess.Popen(
            command(results), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=DEADLINE_S)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert any("waiting: process" in error for error in errors)
    for log in answers(results):
        ids = [response.sample_id for response in log]
        assert len(ids) == len(set(ids))
    (path,) = results.glob("local/records/*/*/textual_unlearning+*/0.json")
    assert json.loads(path.read_text())["status"] == "done"
