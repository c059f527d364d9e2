"""The memory of one piece of work: what was there before, and the most there was."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

import psutil

from benchmark.cost.allocator import return_freed_memory
from benchmark.cost.clock import device_unit

# proc(5): forgets the highest resident size so far. Linux alone has it.
CLEAR_REFS, FORGET_PEAK = Path("/proc/self/clear_refs"), "5"
STATUS = Path("/proc/self/status")


class PeakMemory:
    """Begins when it is made. On a CPU it is resident memory, on a GPU what torch has allocated.

    The system keeps the peak, so that none is missed between two looks. Where it cannot be told to
    begin anew (other systems than Linux), the peak is that of the process so far.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._on_gpu = device_unit(device) == "gpu"
        gc.collect()
        if self._on_gpu:
            import torch

            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
            self.resting_bytes = int(torch.cuda.memory_allocated(device))
            return
        return_freed_memory()
        self.resting_bytes = int(psutil.Process().memory_info().rss)
        if CLEAR_REFS.exists():
            CLEAR_REFS.write_text(FORGET_PEAK)

    @property
    def peak_bytes(self) -> int:
        """The most since then."""
        if self._on_gpu:
            import torch

            return int(torch.cuda.max_memory_allocated(self._device))
        if CLEAR_REFS.exists():
            lines = STATUS.read_text().splitlines()
            (kib,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
            return 1024 * int(kib)
        unit_bytes = 1 if sys.platform == "darwin" else 1024
        return unit_bytes * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
