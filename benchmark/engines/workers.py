"""Work on batches in several processes where one model needs less than the machine has.

A miniature model is too small to share among threads, and on a busy machine waiting threads cost
far more than they bring. Each batch is computed by one thread wherever it runs, so that results do
not depend on the number of cores.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

import torch

from benchmark.core.processes import die_with_parent, usable_cores
from benchmark.vlm.loading import is_small
from benchmark.vlm.model import VisionLanguageModel

# Fewer batches than this are done before workers have started.
MIN_BATCHES = 3

Batch = TypeVar("Batch")
Result = TypeVar("Result")

_work: Callable[[Any], Any] | None = None


def map_batches(
    work: Callable[[Batch], Result], batches: Sequence[Batch], *, model: VisionLanguageModel
) -> Iterator[Result]:
    """`work` on each batch, in order; it asks `model` and returns what pickles well, no tensors."""
    n_workers = min(usable_cores(), len(batches))
    if len(batches) < MIN_BATCHES or n_workers < 2 or not can_fork(model):
        yield from map(work, batches)
        return
    global _work
    _work = work
    try:
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(
            n_workers, mp_context=fork, initializer=die_with_parent, initargs=(os.getpid(),)
        ) as pool:
            yield from pool.map(_do, batches)
    finally:
        _work = None


def can_fork(model: VisionLanguageModel) -> bool:
    """May processes that ask this model be forked from this one, each at work on one core? A
    worker never forks again: its siblings have the other cores."""
    return (
        sys.platform == "linux"
        and model.device.type == "cpu"
        and is_small(model.hf)
        and torch.get_num_threads() == 1
        and multiprocessing.parent_process() is None
    )


def _do(batch: Any) -> Any:
    assert _work is not None, "workers are forked while there is work"
    return _work(batch)
