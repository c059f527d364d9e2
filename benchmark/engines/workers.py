"""Answer batches in several processes where one model needs less than the machine has.

A miniature model is too small to share among threads, and on a busy machine waiting threads cost
far more than they bring. Each batch is computed by one thread wherever it runs, so that answers do
not depend on the number of cores.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import torch

from benchmark.core.environment import usable_cores
from benchmark.core.records import Response
from benchmark.core.samples import Sample
from benchmark.engines.local import LocalEngine
from benchmark.vlm.loading import is_small

PR_SET_PDEATHSIG = 1
# Fewer batches than this are answered before workers have started.
MIN_BATCHES = 3

_engine: LocalEngine | None = None


def answer_batches(
    engine: LocalEngine, batches: Sequence[Sequence[Sample]]
) -> Iterator[list[Response]]:
    """Responses batch by batch, in order."""
    n_workers = min(usable_cores(), len(batches))
    if not _worth_forking(engine, batches) or n_workers < 2:
        for batch in batches:
            yield engine.answer(batch)
        return
    global _engine
    _engine = engine
    try:
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(
            n_workers, mp_context=fork, initializer=_die_with_parent, initargs=(os.getpid(),)
        ) as pool:
            yield from pool.map(_answer, batches)
    finally:
        _engine = None


def _worth_forking(engine: LocalEngine, batches: Sequence[Sequence[Sample]]) -> bool:
    model = engine.model
    forkable = sys.platform == "linux" and model.device.type == "cpu"
    return (
        forkable
        and is_small(model.hf)
        and torch.get_num_threads() == 1
        and len(batches) >= MIN_BATCHES
    )


def _die_with_parent(parent: int) -> None:
    """A killed run leaves no workers behind; Ctrl-C is the parent's to handle."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It died before it could be watched.
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answer(batch: Sequence[Sample]) -> list[Response]:
    assert _engine is not None, "workers are forked while an engine is set"
    return _engine.answer(batch)
