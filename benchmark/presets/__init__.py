"""Presets: settings that fit a piece of hardware, or that a paper used. One YAML file each.

`run --preset NAME` lays one over a method's defaults and over what a search chose; what is typed
goes over it. A method takes of the training settings those that it has: one without a loss takes
none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from benchmark.core import registry
from benchmark.core.config import check_called, merge, read_described
from benchmark.core.errors import unknown
from benchmark.core.roles import Precision, Tuning
from benchmark.core.rows import BASE


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Preset(_Described):
    """`settings` are for every method that trains, `methods` for those that are named, over them.

    `tuning` is how a language model is trained that a method trains at all. `source` says where the
    figures come from. Made for a `gpu`, its micro-batch (its batch, where none is set) is for
    `models` and prompts with answers of so many `tokens`; `plan` reckons with that GPU.
    `gradient_checkpointing` saves memory, takes time and moves no score. `suits` are the methods
    it is for; empty: any.
    """

    name: str
    title: str
    source: str
    gpu: str | None = None
    precision: Precision | None = None
    tuning: Tuning | None = None
    gradient_checkpointing: bool = False
    tokens: Annotated[int, Field(ge=1)] | None = None
    models: tuple[str, ...] = ()
    suits: tuple[str, ...] = ()
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    methods: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)

    def check_suits(self, method: str) -> None:
        """Raise `UserError` for a method that it is not for; the untouched model is any's."""
        if self.suits and method not in (*self.suits, BASE):
            unknown(f"method of preset '{self.name}'", method, self.suits)

    def settings_for(
        self, method: str, *, trains: Mapping[str, str] | None
    ) -> dict[str, JsonValue]:
        """What it sets of a method. `trains` are the roles that the method trains by itself, and
        how; None for one without training settings.

        Raises `UserError` for a method that it is not for.
        """
        self.check_suits(method)
        shared: dict[str, JsonValue] = {}
        if trains is not None:
            shared = dict(self.settings)
            if self.tuning is not None and "language" in trains:
                shared = merge(shared, {"trains": {"language": self.tuning}})
        return merge(shared, self.methods.get(method, {}))


def load_preset(name_or_path: str) -> Preset:
    """The preset behind a name or a YAML path; what is wrong in it is one `UserError` line."""
    found = registry.entry("preset", name_or_path)
    preset = read_described(found.path, Preset)
    check_called(found.path, preset.name)
    return preset
