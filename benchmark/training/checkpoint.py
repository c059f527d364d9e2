"""Everything a training needs to go on as if nothing had happened, in one file."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.core.errors import UserError, first_line
from benchmark.core.store import writing
from benchmark.training.draws import Draws
from benchmark.training.shards import divided_like, whole

SUFFIX = ".checkpoint.pt"


def checkpoint_path(folder: Path, phase: str) -> Path:
    """Where a phase's checkpoint lies."""
    return folder / f"{phase}{SUFFIX}"


def remove_checkpoints(folder: Path) -> None:
    """A training that is done needs none: with an optimiser they are the largest files of a run."""
    for path in folder.glob(f"*{SUFFIX}*"):
        path.unlink()


def checkpoint_of(
    *,
    step: int,
    parameters: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    counted: Mapping[str, Any],
    keep: bool = True,
) -> dict[str, Any]:
    """Trainable weights, optimiser, random states and the number of finished steps, the same
    whatever they were trained on. Processes that hold shards make it together, tensor by tensor,
    and those that do not `keep` it are left with names alone."""
    optimised = optimiser.state_dict()
    optimised["state"] = {
        index: {name: _whole(value, keep) for name, value in moments.items()}
        for index, moments in optimised["state"].items()
    }
    return {
        "step": step,
        "counted": dict(counted),
        "parameters": {name: _whole(p.detach(), keep) for name, p in parameters.items()},
        "optimiser": optimised,
        **Draws.now().saved(),
    }


def _whole(value: Any, keep: bool) -> Any:
    found = whole(value)
    if not keep:
        return None
    return found.cpu() if isinstance(found, Tensor) else found


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write what `checkpoint_of` made, wholly or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        torch.save(dict(state), temporary)
        os.replace(temporary, path)


def load_checkpoint(
    path: Path, *, parameters: Mapping[str, nn.Parameter], optimiser: torch.optim.Optimizer
) -> tuple[int, dict[str, Any]]:
    """Put everything back; returns finished steps and counts. Raises `UserError` if damaged."""

    try:
        state = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise UserError(
            f"checkpoint {path} is damaged ({first_line(error)}); "
            "delete it and the training starts over"
        ) from None
    saved: dict[str, Tensor] = state["parameters"]
    if set(saved) != set(parameters):
        raise UserError(f"checkpoint {path} belongs to another training; delete it to start over")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(divided_like(parameter, saved[name]))
    optimiser.load_state_dict(state["optimiser"])
    for moved, moments in optimiser.state.items():
        for name, value in moments.items():
            moments[name] = divided_like(moved, value)
    Draws.read(state).put()
    return int(state["step"]), state["counted"]
