"""Settings of methods: frozen dataclasses, and the units and ranges that their fields share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import Field

from benchmark.core.errors import nearest
from benchmark.core.roles import PoolModality, Role, Tuning

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, kw_only=True)
class Ramp:
    """A weight that moves from `start` at step 0 to `end` at the last step: in a straight line, or
    as a `power` of the share of steps that are left."""

    start: NotNegative
    end: NotNegative
    power: Positive = 1.0


Weight = NotNegative | Ramp
"""What a term is multiplied by. Signs belong to the method: zero means off for every one."""


@dataclass(frozen=True, kw_only=True)
class MethodConfig:
    """Settings of a method: frozen, in the plugin's own file; unknown keys are errors."""


@dataclass(frozen=True, kw_only=True)
class ForgetPart:
    """Which part of the forget pool a method is given; what is not said takes away nothing.

    `categories` are the only ones, `without` is left out: one of the two at most. Of these
    `n_categories` are drawn, and of their behaviours `n_behaviours`, as evenly over categories as
    there are enough of each; a behaviour comes with all its samples. Drawn by the seed of the run,
    so that seeds differ in it, and nested: under one seed, more categories hold fewer of them,
    and more behaviours of the same categories hold fewer.
    """

    categories: Annotated[tuple[str, ...] | None, Field(exclude_if=lambda v: v is None)] = None
    without: Annotated[str | None, Field(exclude_if=lambda v: v is None)] = None
    n_categories: Annotated[Count | None, Field(exclude_if=lambda v: v is None)] = None
    n_behaviours: Annotated[Count | None, Field(exclude_if=lambda v: v is None)] = None

    def __post_init__(self) -> None:
        """It must not say two things of the same."""
        if self.categories is not None and self.without is not None:
            raise ValueError("categories and without: one of them, since both say which are left")
        if self.categories is not None and not self.categories:
            raise ValueError("categories: names none, which leaves nothing to forget")
        named = self.categories or ()
        twice = [name for name in named if named.count(name) > 1]
        if twice:
            raise ValueError(f"categories: '{twice[0]}' is there twice")


WHOLE = ForgetPart()
"""All of the forget pool."""

SettingsT = TypeVar("SettingsT")


def settings_type(plugin: type, kind: type[SettingsT]) -> type[SettingsT] | None:
    """The settings' type, of that kind, that a plugin's class gives a generic base as parameter:
    `class Npo(LossMethod[NpoConfig])`. None for one that gives none and has its parent's."""
    found = None
    for base in getattr(plugin, "__orig_bases__", ()):
        for parameter in get_args(base):
            if isinstance(parameter, type) and issubclass(parameter, kind):
                found = parameter
    return found


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(MethodConfig):
    """Settings that every method with a loss has. Learning rates and steps suit 7B presets only
    where a preset says so; the testbed's are chosen on its validation pool and recorded."""

    modality: PoolModality = "text"
    trains: Mapping[Role, Tuning] = field(default_factory=lambda: {"language": "lora"})
    weights: Mapping[str, Weight] = field(default_factory=dict)
    steps: Annotated[int, Field(ge=0)] = 100
    batch_size: Count = 16
    """Samples of each pool in a step, whatever they are computed on."""
    micro_batch: Annotated[Count | None, Field(exclude_if=lambda size: size is None)] = None
    """As many of them are computed together; null is all. Losses are averaged in each of these
    first, so that it moves figures of losses that average over tokens."""
    # Left out where it is all of it, so that a record without it stays what it was.
    forget: Annotated[ForgetPart, Field(exclude_if=lambda part: part == WHOLE)] = WHOLE
    """Which part of the forget pool it is given."""
    learning_rate: Positive = 2e-5
    weight_decay: NotNegative = 0.0
    warmup_share: Share = 0.05
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    max_gradient_norm: Positive = 1.0
    lora_rank: Count = 16
    lora_alpha: Positive = 32.0
    lora_dropout: Share = 0.0

    def __post_init__(self) -> None:
        """Weights belong to the terms that the method's own default names."""
        (own,) = (found for found in fields(self) if found.name == "weights")
        assert own.default_factory is not MISSING, "weights come from a default_factory"
        terms = own.default_factory()
        for name in self.weights:
            if terms and name not in terms:
                raise ValueError(f"weights.{name}: no such loss term, {nearest(name, terms)}")


def weight_at(weight: float | Ramp, progress: float) -> float:
    """The value of a weight when a share `progress` (0 to 1) of the steps is done."""
    if isinstance(weight, Ramp):
        if weight.power != 1.0:
            progress = 1.0 - (1.0 - progress) ** weight.power
        return weight.start + (weight.end - weight.start) * progress
    return weight
