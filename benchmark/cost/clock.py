"""Device-seconds and memory of this process and its children, on a CPU or a GPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Literal

import psutil

from benchmark.cost.allocator import return_freed_memory
from benchmark.cost.timeline import processor_s

DeviceUnit = Literal["gpu", "cpu-core"]


def device_unit(device: str) -> DeviceUnit:
    """What a device-second is a second of."""
    return "cpu-core" if device == "cpu" else "gpu"


def wait_for(device: str) -> None:
    """Until a GPU has done all that was asked of it; a CPU has when one can ask."""
    if device_unit(device) != "cpu-core":
        import torch

        torch.cuda.synchronize(device)


class Stopwatch:
    """Seconds since it was made; on a GPU, until all that was asked of it by then is done.

    On a CPU a device-second is a second of one core: the processor time of this process and its
    children. On GPUs it is wall time times the number of GPUs held.
    """

    def __init__(self, device: str, *, n_devices: int = 1) -> None:
        self._device = device
        self._is_cpu = device_unit(device) == "cpu-core"
        self._n_devices = n_devices
        wait_for(device)
        self._wall_start = time.monotonic()
        self._cpu_start = _cpu_seconds()

    def read(self, *, wait: bool = True) -> tuple[float, float]:
        """Seconds on the wall clock, and device-seconds; a GPU at work is not waited for if told
        so."""
        if wait:
            wait_for(self._device)
        wall_s = time.monotonic() - self._wall_start
        device_s = _cpu_seconds() - self._cpu_start if self._is_cpu else wall_s * self._n_devices
        return wall_s, max(device_s, 0.0)


class MemoryWatch:
    """The most memory in use since it was made. One at a time: a GPU keeps one peak."""

    def __init__(self, device: str) -> None:
        if device_unit(device) == "cpu-core":
            return_freed_memory()
            self._in_use = _resident_bytes
        else:
            self._in_use = _gpu_memory(device)
        self._peak_bytes = 0

    def look(self) -> None:
        """Note what is in use now. Not for every batch: it reads the page tables of children,
        and stops them meanwhile."""
        self._peak_bytes = max(self._peak_bytes, self._in_use())

    @property
    def peak_bytes(self) -> int | None:
        """The most at any look so far, on a GPU the true peak; None before the first look."""
        return self._peak_bytes or None


def _cpu_seconds() -> float:
    """Of this process, of children it has waited for, and of those that still run."""
    return processor_s() + sum(_of_child(child, _child_seconds) for child in _children())


def _resident_bytes() -> int:
    """This process's memory, and what its children do not share with it."""
    shared = int(psutil.Process().memory_info().rss)
    return shared + int(sum(_of_child(child, _child_bytes) for child in _children()))


def _children() -> list[psutil.Process]:
    # To find them, every process of the machine is read.
    return psutil.Process().children(recursive=True) if _has_children() else []


def _has_children() -> bool:
    """May be said of a system that does not tell."""
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


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
