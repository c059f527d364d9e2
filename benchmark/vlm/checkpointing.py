"""Gradient checkpointing: of each layer its input alone is kept, and all else is computed anew on
the way back. Less memory for one more forward pass; the gradients are the same.

Chen et al. 2016, arXiv:1604.06174. transformers does it in training mode alone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from benchmark.core.errors import UserError
from benchmark.core.roles import Role
from benchmark.vlm.roles import Roles


def keep_inputs_alone(roles: Roles, trains: Collection[Role]) -> None:
    """For all layers of the language model, through which every gradient goes, and of the vision
    tower where that is trained. Raises `UserError` where transformers cannot do it."""
    for module in (roles.language, roles.vision) if "vision" in trains else (roles.language,):
        if not getattr(module, "supports_gradient_checkpointing", False):
            raise UserError(
                f"{type(module).__name__} does not support gradient checkpointing; "
                "--no-gradient-checkpointing trains without"
            )
        module.gradient_checkpointing_enable({"use_reentrant": False})
        # The other kind needs inputs with a gradient; here frozen maps would get one of no use.
        module.disable_input_require_grads()


class KeptWhole:
    """A layer that keeps everything, until `remove`: what happens in it beside its own forward pass
    does not happen again on the way back."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._before = getattr(layer, "gradient_checkpointing", False)
        if self._before:
            self._layer.gradient_checkpointing = False

    def remove(self) -> None:
        """As it was."""
        if self._before:
            self._layer.gradient_checkpointing = True
