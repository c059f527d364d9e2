"""Which processes train together: those that this one was started among, and what each holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from benchmark.core.errors import UserError
from benchmark.core.processes import n_processes
from benchmark.training.processes import ALONE, Joined, Lost, Processes
from benchmark.training.sharded import Sharded


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
    if _is_true(told, USES_FSDP) and told.get("FSDP_VERSION") != "2":
        raise UserError(f"FSDP's first version is not offered: say {SHARDS}")
    for variable, (setting, takes, instead) in _TAKEN.items():
        asked = told.get(variable, takes[0]).lower()
        if asked not in takes:
            raise UserError(f"{setting} {asked}: {instead}; say {' or '.join(takes)}")


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
_TAKEN: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "ACCELERATE_MIXED_PRECISION": (
        "mixed_precision", ("no",), "the precision is the preset's or the model's",
    ),
    "ACCELERATE_DYNAMO_BACKEND": ("dynamo_backend", ("no",), "nothing is compiled here"),
    "ACCELERATE_USE_PARALLELISM_CONFIG": (
        "parallelism_config", ("false",), "processes share batches and layers, nothing else",
    ),
    RESHARDS: ("fsdp_reshard_after_forward", ("true", "false"), "it is of FSDP's first version"),
    "FSDP_SHARDING_STRATEGY": (
        "fsdp_sharding_strategy", ("full_shard", "1"), "it is of FSDP's first version",
    ),
    "FSDP_OFFLOAD_PARAMS": (
        "fsdp_offload_params", ("false",), "weights stay where they are computed with",
    ),
    "FSDP_IGNORED_MODULES": (
        "fsdp_ignored_modules", ("", "none"), "shards are of the language model's layers, all",
    ),
    "FSDP_ACTIVATION_CHECKPOINTING": (
        "fsdp_activation_checkpointing", ("false",), "--gradient-checkpointing does that",
    ),
    "FSDP_ACTIVATION_CHECKPOINTING_OFFLOAD": (
        "fsdp_activation_checkpointing_offload", ("false",), "inputs stay where they are",
    ),
}  # fmt: skip
"""What accelerate offers beside processes and shards: the variable, its name in a file, what is
taken of it (the first where nothing is said), and why no more."""
