"""Where a run took place: commit, package versions, machine. Imports no torch: callers that have
a device say what it is called."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from benchmark.core.processes import usable_cores
from benchmark.core.records import Git, System
from benchmark.core.store import REPOSITORY

PACKAGES = (
    "torch", "transformers", "tokenizers", "peft", "accelerate", "bitsandbytes", "datasets",
    "safetensors", "numpy", "pandas", "scipy", "pillow", "pydantic", "vllm",
)  # fmt: skip
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


def processor_name() -> str:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
