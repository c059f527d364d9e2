"""Everything a training needs to go on as if nothing had happened, in one file."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.core.errors import UserError
from benchmark.core.store import writing
from benchmark.training.draws import Draws

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
    state = {
        "step": step,
        "counted": dict(counted),
        "parameters": {name: p.detach().cpu() for name, p in parameters.items()},
        "optimiser": optimiser.state_dict(),
        **Draws.now().saved(),
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
    Draws.read(state).put()
    return int(state["step"]), state["counted"]
