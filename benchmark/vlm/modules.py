"""Modules that stand beside a model, as flat named tensors and back: `gate.norm.weight`."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from benchmark.core.errors import UserError


def tensors_of(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Parameters and buffers of all modules, each under its module's name."""
    return {
        f"{name}.{inner}": tensor.detach().clone()
        for name, module in modules.items()
        for inner, tensor in module.state_dict().items()
    }


def fill_modules(modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Put the tensors of `tensors_of` into modules of the same make, which then rest: evaluation
    mode, no gradients. Raises `UserError` for a tensor that is missing or of another shape."""
    for name, module in modules.items():
        state = {}
        for inner, mine in module.state_dict().items():
            full = f"{name}.{inner}"
            found = tensors.get(full)
            if found is None:
                raise UserError(f"artifact lacks the tensor '{full}'")
            if found.shape != mine.shape:
                raise UserError(
                    f"artifact's tensor '{full}' is {tuple(found.shape)}, "
                    f"these settings need {tuple(mine.shape)}"
                )
            state[inner] = found
        module.load_state_dict(state)
        module.eval().requires_grad_(False)
