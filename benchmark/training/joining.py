"""Which processes train together: those that this one was started among, and what each holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from benchmark.core.environment import n_processes
from benchmark.core.errors import UserError
from benchmark.training.processes import ALONE, Joined, Lost, Processes
from benchmark.training.sharding import Sharded


def join(device: str) -> Processes:
    """The processes that this one was started among, by `torchrun`, `accelerate launch` or
    `--processes`; alone where it was by itself. Raises `UserError` for what cannot be."""
    if n_processes() == 1:
        return ALONE
    if device.startswith("cuda:"):
        raise UserError(f"--device {device}: several processes take a GPU each; say cuda, or auto")
    n_here = int(os.environ.get("LOCAL_WORLD_SIZE", n_processes()))
    if device == "cuda" and n_here > torch.cuda.device_count():
        raise UserError(f"{n_here} processes need as many GPUs: {torch.cuda.device_count()} here")
    return _as_asked(device)


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


def check_strategy(told: Mapping[str, str]) -> None:
    """Raise `UserError` for what accelerate's variables ask for beyond whole copies of the model,
    or shards by FSDP's second version and nothing beside."""
    if _is_true(told, "ACCELERATE_USE_DEEPSPEED"):
        raise UserError(f"DeepSpeed is not offered: {SHARDS} does what its ZeRO stage 3 does")
    if not _is_true(told, USES_FSDP):
        return
    if told.get("FSDP_VERSION") != "2":
        raise UserError(f"FSDP's first version is not offered: say {SHARDS}")
    for setting, instead in _ELSEWHERE.items():
        if _is_true(told, setting.upper()):
            raise UserError(f"{setting} is not offered: {instead}")
    if told.get(RESHARDS, "true").lower() not in ("true", "false"):
        raise UserError(f"fsdp_reshard_after_forward: {told[RESHARDS]}: say true or false")


def _as_asked(device: str) -> Joined:
    """As accelerate's variables say; with copies of the whole model where they say nothing."""
    check_strategy(os.environ)
    if not _is_true(os.environ, USES_FSDP):
        return Joined(device=device)
    # Each process loads all weights; transformers would leave those of all but one to accelerate.
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    return Sharded(device=device, reshard=_is_true(os.environ, RESHARDS, default="true"))


def _is_true(told: Mapping[str, str], name: str, *, default: str = "") -> bool:
    return told.get(name, default).lower() == "true"


USES_FSDP = "ACCELERATE_USE_FSDP"
RESHARDS = "FSDP_RESHARD_AFTER_FORWARD"
SHARDS = "distributed_type: FSDP with fsdp_version: 2"
_ELSEWHERE = {
    "fsdp_offload_params": "weights stay where they are computed with; say false",
    "fsdp_activation_checkpointing": "say false, and --gradient-checkpointing",
}
"""What accelerate offers beside shards, and what takes its place."""
