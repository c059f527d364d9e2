"""Where and with what a model is being trained: what its record says beside what it learnt."""

from __future__ import annotations

import time
from typing import Any

import torch

from benchmark.core import environment

COMMAND = "python -m benchmark testbed"


def surroundings() -> dict[str, Any]:
    """As fields of a training record, as they are now: the tree may be edited, or committed, while
    it trains."""
    return {
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "git": environment.git(),
        "packages": environment.packages(),
        "n_threads": torch.get_num_threads(),
        "processor": environment.processor_name(),
    }
