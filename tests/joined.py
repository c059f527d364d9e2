"""Processes that train together, forked from the test: nothing is imported twice."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import socket
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

import accelerate  # noqa: F401 (the forked processes find it imported)
import torch
from live_models import untrained_checkpoint

from benchmark.training.joining import join
from benchmark.training.processes import Processes

DEADLINE_S = 120.0
# What `accelerate launch` tells each process of a file with FSDP's second version.
FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_RESHARD_AFTER_FORWARD": "true"}


class Gone(Exception):
    """A process ended without a word."""


def joined(
    work: Callable[[Processes], Any], *, n: int = 2, told: Mapping[str, str] | None = None
) -> list[Any]:
    """What `work` returns in each of `n` processes: a value, the exception that it raised, or
    `Gone`. They are `told` more by variables."""
    context = multiprocessing.get_context("fork")
    # Written once, before there are several to write it.
    untrained_checkpoint()
    shared = {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(n),
        "LOCAL_WORLD_SIZE": str(n), "OMP_NUM_THREADS": "1", **(told or {}),
    }  # fmt: skip
    ends, started = [], []
    for index in range(n):
        reader, writer = context.Pipe(duplex=False)
        own = shared | {"RANK": str(index), "LOCAL_RANK": str(index)}
        process = context.Process(target=_work, args=(work, own, writer), daemon=True)
        process.start()
        writer.close()
        ends.append(reader)
        started.append(process)
    try:
        return [_said(end) for end in ends]
    finally:
        for process in started:
            process.kill()
            process.join()


def _work(work: Callable[[Processes], Any], own: Mapping[str, str], writer: Connection) -> None:
    os.environ.update(own)
    torch.set_num_threads(1)
    processes = join("cpu")
    try:
        said = work(processes)
    except Exception as error:
        said = RuntimeError(f"{type(error).__name__}: {error}")
    # Not by `send`, which would share tensors with a process that is gone when they are looked at.
    writer.send_bytes(pickle.dumps(said))
    # Whoever is gone is noticed by those that still wait for it.
    writer.close()
    os._exit(0)


def _said(end: Connection) -> Any:
    assert end.poll(DEADLINE_S), "it hung"
    try:
        return pickle.loads(end.recv_bytes())
    except EOFError:
        return Gone()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
