"""Lets torchvision be imported beside a torch without CUDA, by any Python that has this folder on
its path: vLLM's own child processes too.

vLLM needs torchvision for its transforms. There is no build of it for a CPU but the one for CUDA,
whose compiled operators such a torch cannot load, and which then stops where it says what shapes
they give. So they are declared, without anything behind them, just before it is imported.
"""

from __future__ import annotations

import re
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


class Declaring(MetaPathFinder):
    """Finds nothing by itself; declares the operators when torchvision is looked for."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """None: whoever comes next finds it."""
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            declare(PathFinder.find_spec(fullname))


def declare(spec: ModuleSpec | None) -> None:
    """Declare every operator whose shapes torchvision registers."""
    if spec is None or spec.origin is None:
        return
    import torch

    source = (Path(spec.origin).parent / "_meta_registrations.py").read_text()
    for name in sorted(set(re.findall(r'(?:register_meta\("|"torchvision::)(\w+)"', source))):
        torch.library.define(f"torchvision::{name}", "(Tensor x) -> Tensor")


sys.meta_path.insert(0, Declaring())
