"""Which processes train together: those that this one was started among."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from benchmark.core.environment import n_processes
from benchmark.core.errors import UserError
from benchmark.training.processes import ALONE, Joined, Lost, Processes


def join(device: str) -> Processes:
    """The processes that this one was started among, by `torchrun`, `accelerate launch` or
    `--processes`; alone where it was by itself. Raises `UserError` for what cannot be."""
    if n_processes() == 1:
        return ALONE
    _check_strategy()
    if device.startswith("cuda:"):
        raise UserError(f"--device {device}: several processes take a GPU each; say cuda, or auto")
    n_here = int(os.environ.get("LOCAL_WORLD_SIZE", n_processes()))
    if device == "cuda" and n_here > torch.cuda.device_count():
        raise UserError(f"{n_here} processes need as many GPUs: {torch.cuda.device_count()} here")
    return Joined(device=device)


@contextmanager
def leading(device: str) -> Iterator[Processes]:
    """Around all that process 0 does. Where it is left by an error it goes without a word, which
    the others notice."""
    processes = join(device)
    yield processes
    try:
        processes.order(None)
    except Lost:
        # It was said when it was noticed.
        return
    processes.leave()


def _check_strategy() -> None:
    """Raise `UserError` for what accelerate offers beyond whole copies of the model."""
    for name in ("DEEPSPEED", "FSDP"):
        if os.environ.get(f"ACCELERATE_USE_{name}", "").lower() == "true":
            raise UserError(
                f"{name} is not offered: each process holds a whole copy of the model, and shares "
                "the batch (distributed_type MULTI_GPU or MULTI_CPU); a model too large for that "
                "trains as qlora, with --gradient-checkpointing and a micro_batch of 1"
            )
