"""Everything a training needs to go on as if nothing had happened, in one file."""

from __future__ import annotations

import ast
import os
import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.core.errors import UserError
from benchmark.core.store import writing

SUFFIX = ".checkpoint.pt"


def checkpoint_path(folder: Path, phase: str) -> Path:
    """Where a phase's checkpoint lies."""
    return folder / f"{phase}{SUFFIX}"


def remove_checkpoints(folder: Path) -> None:
    """A training that is done needs none: with an optimiser they are the largest files of a run."""
    for path in folder.glob(f"*{SUFFIX}*"):
        path.unlink()


def save_checkpoint(
    path: Path,
    *,
    step: int,
    parameters: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    counted: Mapping[str, Any],
) -> None:
    """Write trainable weights, optimiser, random states and the number of finished steps."""
    numpy_state: Any = np.random.get_state(legacy=False)
    state = {
        "step": step,
        "counted": dict(counted),
        "parameters": {name: p.detach().cpu() for name, p in parameters.items()},
        "optimiser": optimiser.state_dict(),
        "torch_rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python_rng": repr(random.getstate()),
        "numpy_rng": repr(numpy_state["state"]["key"].tolist()),
        "numpy_position": numpy_state["state"]["pos"],
    }
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        torch.save(state, temporary)
        os.replace(temporary, path)


def load_checkpoint(
    path: Path, *, parameters: Mapping[str, nn.Parameter], optimiser: torch.optim.Optimizer
) -> tuple[int, dict[str, Any]]:
    """Put everything back; returns finished steps and counts. Raises `UserError` if damaged."""

    try:
        state = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise UserError(
            f"checkpoint {path} is damaged ({str(error).splitlines()[0]}); "
            "delete it and the training starts over"
        ) from None
    saved: dict[str, Tensor] = state["parameters"]
    if set(saved) != set(parameters):
        raise UserError(f"checkpoint {path} belongs to another training; delete it to start over")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(saved[name])
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["torch_rng"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda_rng"])
    random.setstate(ast.literal_eval(state["python_rng"]))
    keys = np.array(ast.literal_eval(state["numpy_rng"]), dtype=np.uint32)
    np.random.set_state(("MT19937", keys, state["numpy_position"], 0, 0.0))
    return int(state["step"]), state["counted"]
