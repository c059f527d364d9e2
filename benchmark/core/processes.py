"""Processes beside this one: how many may run, how many do, and that none outlives its parent.

Apart from `environment`, whose records take long to import: commands ask before they do anything.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# Of sys/prctl.h.
PR_SET_PDEATHSIG = 1


def usable_cores() -> int:
    """Cores this process may use; fewer than the machine has inside a container or a batch job."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def n_processes() -> int:
    """Processes that this one was started among, as `torchrun` tells each; 1 for one alone."""
    among = os.environ.get("RANK", "").isdigit()
    return int(os.environ.get("WORLD_SIZE", 1)) if among else 1


def die_with_parent(parent: int, *, hears_ctrl_c: bool = False) -> None:
    """A killed run leaves no workers behind, where the kernel sees to it (Linux). Ctrl-C is the
    parent's to handle, unless this process is to hear it too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It died before it could be watched.
        os._exit(1)
    if not hears_ctrl_c:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
