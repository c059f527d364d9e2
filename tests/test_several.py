"""Several runs at once: the same figures, whoever dies, and nobody left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from faults.product import Product, Running
from live_models import untrained_checkpoint
from run_records import record

from benchmark.core.errors import NotOffered, UserError
from benchmark.core.records import RunRecord
from benchmark.core.store import StorageError
from benchmark.forking import interrupted_later
from benchmark.progress import Reporter
from benchmark.runner import RunRequest
from benchmark.turns import Outcome, Queue

SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"
BOTH = "textual_sft,textual_unlearning"
DEADLINE_S = 240
QUIET = Reporter(quiet=True)


def requests(*names: str, n_seeds: int = 1) -> list[RunRequest]:
    return [RunRequest(method=name, seed=seed) for name in names for seed in range(n_seeds)]


def ended(request: RunRequest, *, after_s: float = 1.0, error: UserError | None = None) -> Outcome:
    made = record(request.method, seed=request.seed) if error is None else None
    return Outcome(request=request, record=made, error=error, wall_s=after_s)


def named(request: RunRequest | None) -> str:
    assert request is not None
    return f"{request.method}{request.seed}"


def queue_of(*names: str, n_seeds: int) -> Queue:
    return Queue(requests(*names, n_seeds=n_seeds), reporter=QUIET, ended=lambda _outcome: None)


def test_one_of_each_row_goes_first_and_then_the_longest() -> None:
    queue = queue_of("a", "b", n_seeds=3)
    first, second = queue.next(), queue.next()
    assert (named(first), named(second)) == ("a0", "b0")
    assert first and second
    queue.close(ended(first, after_s=1.0))
    queue.close(ended(second, after_s=9.0))
    assert [named(queue.next()) for _ in range(4)] == ["b1", "b2", "a1", "a2"]
    assert queue.next() is None


def test_in_order_is_as_they_were_given() -> None:
    queue = queue_of("a", "b", n_seeds=2)
    assert [named(queue.next(in_order=True)) for _ in range(4)] == ["a0", "a1", "b0", "b1"]


def test_what_a_row_is_not_offered_it_is_not_asked_again() -> None:
    queue = queue_of("a", "b", n_seeds=3)
    first = queue.next()
    assert first
    queue.close(ended(first, error=NotOffered("no such pool")))
    assert [named(queue.next()) for _ in range(3)] == ["b0", "b1", "b2"]
    assert queue.next() is None


def test_a_full_disk_ends_it_all() -> None:
    queue = queue_of("a", n_seeds=2)
    first = queue.next()
    assert first
    with pytest.raises(StorageError, match="full"):
        queue.close(ended(first, error=StorageError("full")))


def command(*, jobs: int, steps: int = 3) -> list[str]:
    return [
        "run", "--method", BOTH, "--seeds", "2", "--model", str(untrained_checkpoint()),
        "--suite", str(SUITE), "--set", f"steps={steps} batch_size=8 learning_rate=1e-2",
        "--jobs", str(jobs), "--checkpoint-every", "0",
    ]  # fmt: skip


def records(folder: Path) -> dict[str, RunRecord]:
    paths = sorted(folder.glob("results/local/records/*/*/textual*/*.json"))
    return {
        f"{path.parent.name}/{path.name}": RunRecord.model_validate_json(path.read_text())
        for path in paths
    }


def test_at_once_is_the_same_as_one_after_another(product: Product, tmp_path: Path) -> None:
    found, said = [], ""
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        done = product.run(command(jobs=jobs), folder=folder)
        assert done.code == 0, done.err
        found.append(records(folder))
        said = done.err
    one, two = found
    assert len(one) == 4 and one.keys() == two.keys()
    for name in one:
        assert one[name].scores == two[name].scores
        assert one[name].digests == two[name].digests
        assert one[name].keys == two[name].keys
        cost = two[name].cost
        assert cost is not None
        assert cost.stages["train"].device_s > 0, "seconds of the worker's own"
        # One core each, and what it borrowed of what was made on two.
        assert cost.stages["train"].device_s < 3 * cost.stages["train"].wall_s
    lines = [line for line in said.splitlines() if ", seed " in line]
    assert sum(": begun, " in line for line in lines) == 4
    assert sum(": done after " in line for line in lines) == 4


@pytest.fixture
def running(product: Product, tmp_path: Path) -> Iterator[Running]:
    """Two runs at once that take far longer than a test; nothing of them is left afterwards."""
    started = product.start(command(jobs=2, steps=4000), folder=tmp_path)
    yield started
    with suppress(ProcessLookupError):
        started.kill()


def n_lines(folder: Path) -> int:
    return len(list(folder.glob("results/local/stages/train/*/train.checkpoint.pt")))


def workers_of(running: Running, reached: Callable[[], bool]) -> list[psutil.Process]:
    """Its two workers, once they are that far."""
    deadline = time.monotonic() + DEADLINE_S
    parent = psutil.Process(running.process)
    while not (reached() and len(parent.children()) == 2):
        alive = parent.status() != psutil.STATUS_ZOMBIE
        assert alive and time.monotonic() < deadline, f"it did not get that far: {running.err}"
        time.sleep(0.02)
    return parent.children()


def test_ctrl_c_waits_until_a_worker_is_known() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    workers = []

    def fork() -> None:
        with interrupted_later():
            os.kill(os.getpid(), signal.SIGINT)
            workers.append("forked")

    try:
        with pytest.raises(KeyboardInterrupt):
            fork()
    finally:
        now = signal.signal(signal.SIGINT, before)
    assert workers == ["forked"]
    assert now is signal.default_int_handler


def gone(workers: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(workers, timeout=30)
    return not alive


def test_a_killed_worker_is_on_record_and_the_others_go_on(
    running: Running, tmp_path: Path
) -> None:
    killed, other = workers_of(running, lambda: n_lines(tmp_path) == 2)
    killed.kill()
    failed = "results/local/records/*/*/textual*/*.failed.json"
    workers = workers_of(running, lambda: any(tmp_path.glob(failed)))
    assert other in workers
    assert killed not in workers
    os.kill(running.process, signal.SIGINT)
    ended = running.wait()
    (one,) = [one for one in records(tmp_path).values() if one.status == "failed"]
    assert one.error is not None
    assert one.error.startswith("its process was killed by signal 9; what it had done is kept")
    assert one.failed_stage is None
    assert f"seed {one.spec.seed} failed: its process was killed by signal 9" in ended.err
    assert ended.code == 130


def test_ctrl_c_ends_every_worker_and_leaves_what_can_go_on(
    running: Running, tmp_path: Path
) -> None:
    workers = workers_of(running, lambda: n_lines(tmp_path) == 2)
    os.killpg(running.process, signal.SIGINT)
    ended = running.wait()
    assert ended.code == 130
    assert ended.err.splitlines()[-1] == (
        "interrupted; run the same command again and it goes on where it stopped"
    )
    assert "Traceback" not in ended.err
    assert gone(workers)
    assert {one.status for one in records(tmp_path).values()} == {"interrupted"}
    assert n_lines(tmp_path) == 2


def test_workers_do_not_outlive_a_killed_parent(running: Running, tmp_path: Path) -> None:
    workers = workers_of(running, lambda: n_lines(tmp_path) == 2)
    os.kill(running.process, signal.SIGKILL)
    assert running.wait().killed
    assert gone(workers)
    for path in tmp_path.glob("results/local/records/**/*.json"):
        assert json.loads(path.read_text())["status"] == "done"
