"""Refuse to be modest: ask for more memory than there is, in each of the ways it is refused.

Source: none. Differs from the paper: there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from benchmark.api import Job, Method, MethodConfig, Unlearned


@dataclass(frozen=True, kw_only=True)
class HungryConfig(MethodConfig):
    """Who says no."""

    refused_by: Literal["allocator", "torch", "python"] = "allocator"


class Hungry(Method[HungryConfig]):
    """Never gets as far as unlearning."""

    def unlearn(self, job: Job) -> Unlearned:
        """A CPU's allocator has an error of its own kind, a GPU's another."""
        if self.config.refused_by == "torch":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 TiB.")
        if self.config.refused_by == "python":
            raise MemoryError
        torch.empty(2**60, dtype=torch.uint8)
        return Unlearned()


METHOD = Hungry
