"""Jobs in forked processes: what comes of each, whoever dies, and nobody left behind."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from benchmark.forking import Over, at_once


def worked_off(jobs: list[int], work, *, n_jobs: int = 2) -> dict[int, Over[int, int]]:
    left, found = list(jobs), {}
    at_once(
        lambda: left.pop(0) if left else None, work,
        lambda over: found.update({over.job: over}), n_jobs=n_jobs,
    )  # fmt: skip
    return found


def test_each_is_worked_off_in_a_process_of_its_own():
    found = worked_off([3, 4, 5], lambda job: (job * job, os.getpid()))
    assert {job: over.result[0] for job, over in found.items()} == {3: 9, 4: 16, 5: 25}
    assert len({os.getpid(), *(over.result[1] for over in found.values())}) == 4
    assert all(over.lost is None for over in found.values())


def test_one_that_dies_says_nothing_and_the_others_go_on():
    def work(job: int) -> int:
        if job == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if job == 2:
            os._exit(7)
        return job

    found = worked_off([1, 2, 3], work)
    assert (found[1].result, found[2].result, found[3].result) == (None, None, 3)
    assert "was killed by signal 9; what it had done is kept" in (found[1].lost or "")
    assert "ended with exit code 7" in (found[2].lost or "")


def test_what_is_raised_over_one_ends_them_all():
    before = set(psutil.Process().children())

    def work(job: int) -> int:
        if job:
            time.sleep(600)
        return job

    jobs = [1, 0]

    def over(_one: Over[int, int]) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        at_once(lambda: jobs.pop(0) if jobs else None, work, over, n_jobs=2)
    assert set(psutil.Process().children()) <= before
