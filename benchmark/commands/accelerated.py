"""A file of `accelerate config`: how many processes it asks for, and what each finds around it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark.core.config import read_yaml
from benchmark.core.errors import UserError, nearest

KINDS = ("MULTI_GPU", "MULTI_CPU", "FSDP")


def read_accelerate(file: Path, *, device: str) -> tuple[int, dict[str, str]]:
    """So many processes on this machine, and the variables that accelerate would start them with.

    Raises `UserError` for a file that cannot be read and for what is not offered.
    """
    try:
        return _read(file, device=device)
    except _NotHere as error:
        raise UserError(f"--accelerate {file}: {error}") from None


class _NotHere(Exception):
    """Something in the file that cannot be done, in words."""


def _read(file: Path, *, device: str) -> tuple[int, dict[str, str]]:
    # Of a file that is not there or no mapping accelerate speaks in its own words, or breaks.
    asked = read_yaml(file)
    n = asked.get("num_processes")
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise _NotHere("it does not say how many: num_processes is missing, or no such number")
    known, read, kind, told = _as_accelerate_does(file)
    if kind not in KINDS:
        raise _NotHere(
            f"distributed_type {kind} is not offered, only {', '.join(KINDS)}; FSDP with "
            "fsdp_version 2 shards as DeepSpeed's ZeRO stage 3 does"
        )
    settings = asked.get("fsdp_config")
    _check_names(settings if isinstance(settings, dict) else {}, known)
    _check_processes(read, kind)
    if read.use_cpu != (device == "cpu"):
        hint = "add --device cpu" if read.use_cpu else "--device cpu wants use_cpu: true"
        raise _NotHere(f"use_cpu is {str(read.use_cpu).lower()}: {hint}")
    from benchmark.training.joining import check_strategy

    try:
        check_strategy(told)
    except UserError as error:
        raise _NotHere(str(error)) from None
    own = {name: text for name, text in told.items() if os.environ.get(name) != text}
    return read.num_processes, own


def _as_accelerate_does(file: Path) -> tuple[set[str], Any, str, dict[str, str]]:
    """The names of its options, what it makes of the file, the kind, and variables."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils import prepare_multi_gpu_env

    asked = ["--config_file", str(file), "--main_process_port", "0", "--module", "benchmark"]
    options = launch_command_parser().parse_args(asked)
    known = set(vars(options))
    try:
        read, config, _ = _validate_launch_command(options)
        told = prepare_multi_gpu_env(read)
    # It answers a wrong file with whatever comes to it.
    except Exception as error:
        raise _NotHere(" ".join(str(error).split()) or type(error).__name__) from None
    return known, read, config.distributed_type.value, told


def _check_names(settings: Iterable[str], known: set[str]) -> None:
    """accelerate passes over a setting that it does not know."""
    for name in settings:
        if name not in known:
            ours = [one for one in known if one.startswith("fsdp_")]
            raise _NotHere(f"fsdp_config: unknown setting '{name}', {nearest(name, ours)}")


def _check_processes(read: Any, kind: str) -> None:
    if read.num_machines > 1:
        raise _NotHere(
            f"{read.num_machines} machines: start each by `accelerate launch --config_file ... "
            "-m benchmark ...`"
        )
    if kind == "FSDP" and read.num_processes == 1:
        raise _NotHere("num_processes: 1: shards want two processes at least")
