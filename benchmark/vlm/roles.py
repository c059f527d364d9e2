"""Find a checkpoint's vision tower, projector, language model and head by its own structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from benchmark.core.errors import UserError
from benchmark.core.roles import Role

# Where families keep each role below the outer model; the first that exists is it.
PATHS: dict[str, tuple[str, ...]] = {
    "vision": ("model.vision_tower", "model.visual", "model.vision_model"),
    # Qwen's lies inside the tower.
    "projector": ("model.multi_modal_projector", "model.connector", "model.visual.merger"),
    "language": ("model.language_model", "model.text_model"),
    "head": ("lm_head",),
}

# What brings states from further down the tower to the language model's width.
BESIDE_PROJECTOR = ("model.visual.deepstack_merger_list",)


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The modules behind the roles and the prefixes of their parameters' names.

    Typed `Any`: what they can do is transformers' own and differs by family.
    """

    vision: Any
    projector: Any
    language: Any
    head: Any
    prefixes: dict[str, str]

    def of(self, parameter_name: str) -> Role:
        """The role that a parameter of the outer model belongs to; the head is language."""
        if any(parameter_name.startswith(f"{inner}.") for inner in self._projecting):
            return "projector"
        return "vision" if parameter_name.startswith(f"{self.prefixes['vision']}.") else "language"

    def parameters(self, model: nn.Module, role: Role) -> Iterator[tuple[str, nn.Parameter]]:
        """Named parameters of one role, names as in the outer model."""
        for name, parameter in model.named_parameters():
            if self.of(name) == role:
                yield name, parameter

    def linear_names(self, model: nn.Module, role: Role) -> list[str]:
        """Names of the linear layers inside one role's module (the head not among them)."""
        prefix = self.prefixes[role]
        return [
            name
            for name, module in model.named_modules()
            if (name.startswith(f"{prefix}.") or role == "projector")
            and self.of(name) == role
            and isinstance(module, nn.Linear)
            and "lora_" not in name
        ]

    @property
    def _projecting(self) -> tuple[str, ...]:
        return (self.prefixes["projector"], *BESIDE_PROJECTOR)


def resolve_roles(model: Any) -> Roles:
    """Resolve every role, or say which could not be: `UserError`."""
    found: dict[str, tuple[str, nn.Module]] = {}
    for role, paths in PATHS.items():
        for path in paths:
            module = _descend(model, path)
            if module is not None:
                found[role] = (path, module)
                break
    missing = [f"{role} = ?" for role in PATHS if role not in found]
    if missing:
        raise UserError(
            f"roles of {type(model).__name__} could not be resolved: {', '.join(missing)}; "
            "a vision-language checkpoint is needed"
        )
    return Roles(
        vision=found["vision"][1],
        projector=found["projector"][1],
        language=found["language"][1],
        head=found["head"][1],
        prefixes={role: path for role, (path, _) in found.items()},
    )


def _descend(model: nn.Module, path: str) -> nn.Module | None:
    module: nn.Module | None = model
    for part in path.split("."):
        module = getattr(module, part, None)
        if module is None:
            return None
    return module
