"""The machine that something was measured on."""

from __future__ import annotations

import torch

from benchmark.core import environment
from benchmark.core.records import System


def measured_on(device: str, *, n_threads: int) -> System:
    """The machine by its name; a GPU by its own."""
    name = torch.cuda.get_device_name(device) if device != "cpu" else None
    return environment.system(device=device, device_name=name, n_threads=n_threads)
