"""What the recipe of the miniature world writes beside a model, as those read it who do not train.

Rates are 0 to 1. The weights themselves are shipped for a few models only; the records of all that
were trained are committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from benchmark.core.config import error_lines
from benchmark.core.errors import UserError
from benchmark.core.records import Git, Stored

RECORD = "training_record.json"
Pool = Literal["align", "train", "validation", "test", "unseen"]
POOLS: tuple[Pool, ...] = ("align", "train", "validation", "test", "unseen")


class Figure(Stored):
    """One line of the acceptance table, with its bar where it has one."""

    name: str
    value: float
    n: int
    at_least: float | None
    at_most: float | None
    reached: bool | None


class Acceptance(Stored):
    """The acceptance table of one model."""

    modality_shortcut: bool
    short_of_bar: list[str]
    figures: list[Figure]


class BaseRecord(Stored):
    """One training of a miniature. `after_stage` are figures measured between stages, by the names
    of the acceptance table; empty of trainings from before they were measured."""

    variant: Annotated[str, Field(pattern="^[a-z0-9_]+$")]
    seed: Annotated[int, Field(ge=0)]
    command: str
    started_at: str
    git: Git
    packages: dict[str, str]
    n_threads: int
    processor: str
    plan: dict[str, Any]
    seconds_per_stage: Annotated[dict[str, float], Field(min_length=1)]
    losses: dict[str, list[float]]
    after_stage: dict[str, dict[str, float]] = Field(default_factory=dict)
    acceptance: Acceptance | None

    @property
    def name(self) -> str:
        """`default-1`."""
        return f"{self.variant}-{self.seed}"

    def figure(self, name: str) -> float | None:
        """A figure of the finished model; None where it was not measured."""
        found = self.acceptance.figures if self.acceptance else ()
        return next((figure.value for figure in found if figure.name == name), None)

    def after(self, stage: str, name: str) -> float | None:
        """A figure measured after a stage; after the last one, the finished model's."""
        if stage == list(self.seconds_per_stage)[-1]:
            return self.figure(name)
        return self.after_stage.get(stage, {}).get(name)


def read_base(path: Path) -> BaseRecord:
    """A training record. Raises `UserError` naming the file that is missing or damaged."""
    try:
        return BaseRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such training record") from None
    except ValidationError as error:
        problem = error_lines(error, BaseRecord)[0]
        raise UserError(f"{path}: corrupt training record: {problem}") from None
