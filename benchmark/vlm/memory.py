"""When memory ran out, by whatever name, and giving back what torch holds on to."""

from __future__ import annotations

import gc

import torch

_CPU_ALLOCATOR = ("DefaultCPUAllocator", "can't allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Also on a CPU, where torch says so by a plain RuntimeError of its allocator's."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_ALLOCATOR)
    )


def give_back_memory() -> None:
    """What nothing refers to any more, so that a smaller piece of work finds room."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
