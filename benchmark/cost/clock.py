"""Device-seconds and memory of this process, on a CPU or a GPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Literal

import psutil

DeviceUnit = Literal["gpu", "cpu-core"]


def device_unit(device: str) -> DeviceUnit:
    """What a device-second is a second of."""
    return "cpu-core" if device == "cpu" else "gpu"


class Clock:
    """Seconds since it was made.

    On a CPU a device-second is a second of one core: the processor time of this process and its
    children. On GPUs it is wall time times the number of GPUs held.
    """

    def __init__(self, device: str, *, n_devices: int = 1) -> None:
        self._is_cpu = device_unit(device) == "cpu-core"
        self._n_devices = n_devices
        self._wall_start = time.monotonic()
        self._cpu_start = _cpu_seconds()
        self._memory_bytes = _resident_bytes if self._is_cpu else _gpu_memory(device)
        self._peak_bytes = 0

    @property
    def wall_s(self) -> float:
        """Seconds on the wall clock."""
        return time.monotonic() - self._wall_start

    @property
    def device_s(self) -> float:
        """Device-seconds."""
        if self._is_cpu:
            return _cpu_seconds() - self._cpu_start
        return self.wall_s * self._n_devices

    def look_at_memory(self) -> None:
        """Note what is in use now. Not for every batch: it reads the page tables of children,
        and stops them meanwhile."""
        self._peak_bytes = max(self._peak_bytes, self._memory_bytes())

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory in use at any look so far; on a GPU the true peak."""
        return self._peak_bytes


def _cpu_seconds() -> float:
    """Of this process, of children it has waited for, and of those that still run."""
    times = os.times()
    own = times.user + times.system + times.children_user + times.children_system
    return own + sum(_of_child(child, _child_seconds) for child in _children())


def _resident_bytes() -> int:
    """This process's memory, and what its children do not share with it."""
    shared = int(psutil.Process().memory_info().rss)
    return shared + int(sum(_of_child(child, _child_bytes) for child in _children()))


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _of_child(child: psutil.Process, figure: Callable[[psutil.Process], float]) -> float:
    """A figure of a child that may end at any moment."""
    try:
        return figure(child)
    except psutil.Error:
        return 0.0


def _child_seconds(child: psutil.Process) -> float:
    times = child.cpu_times()
    return float(times.user + times.system)


def _child_bytes(child: psutil.Process) -> float:
    return float(child.memory_full_info().uss)


def _gpu_memory(device: str) -> Callable[[], int]:
    import torch

    torch.cuda.reset_peak_memory_stats(device)
    return lambda: int(torch.cuda.max_memory_allocated(device))
