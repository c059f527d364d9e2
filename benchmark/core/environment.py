"""Where a run took place: commit, package versions, machine. Imports no torch: callers that have
a device say what it is called."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from benchmark.core.records import Git, System
from benchmark.core.store import REPOSITORY

PACKAGES = (
    "torch", "transformers", "tokenizers", "peft", "accelerate", "bitsandbytes", "datasets",
    "safetensors", "numpy", "pandas", "scipy", "pillow", "pydantic", "vllm",
)  # fmt: skip
# Of sys/prctl.h.
PR_SET_PDEATHSIG = 1
# What runs and `publish` write is no change of the code that makes them.
GENERATED = ("results", "leaderboard", "README.md")


def git(repository: Path = REPOSITORY) -> Git:
    """Commit and whether the tree differs from it; both `None` where there is no git to ask."""
    commit = _git(repository, "rev-parse", "HEAD")
    excluded = [f":(exclude){folder}" for folder in GENERATED]
    changes = _git(repository, "status", "--porcelain", "--", ".", *excluded)
    return Git(commit=commit, dirty=None if changes is None else bool(changes))


def _git(repository: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def version(package: str) -> str | None:
    """The installed version of a distribution, read from its metadata."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def packages() -> dict[str, str]:
    """Installed versions of all that can move a number."""
    found = {name: version(name) for name in PACKAGES}
    return {name: number for name, number in found.items() if number is not None}


def system(
    *, device: str, device_name: str | None = None, n_devices: int = 1, n_threads: int | None = None
) -> System:
    """The machine. `device_name` is for accelerators; on a CPU the processor's own is read."""
    cores = usable_cores()
    return System(
        device=device,
        device_name=device_name or processor_name(),
        n_devices=n_devices,
        n_cores=cores,
        n_threads=n_threads if n_threads is not None else cores,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        platform=platform.platform(),
        python=platform.python_version(),
    )


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


def processor_name() -> str:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
