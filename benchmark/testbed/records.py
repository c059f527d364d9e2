"""What the recipe of the miniature world writes beside a model, as those read it who do not train.

Rates are 0 to 1. The weights themselves are shipped for a few models only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from benchmark.core.config import error_lines
from benchmark.core.errors import UserError
from benchmark.core.records import Git, Stored
from benchmark.core.store import write_atomic
from benchmark.testbed.items import Pool

RECORD = "training_record.json"
WITHOUT = "without"
"""Of a model that was told of persons: the group in its plan that it was never told of, or null."""
POOLS: tuple[Pool, ...] = ("align", "train", "validation", "test", "unseen")


class Figure(Stored):
    """One rate. `at_least` and `at_most` are bars; figures without one are only reported."""

    name: str
    value: float
    n: int
    at_least: float | None = None
    at_most: float | None = None
    reached: bool | None = None

    @classmethod
    def of(
        cls,
        name: str,
        value: float,
        n: int,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> Figure:
        """A rate, held against its bar where it has one."""
        reached = None
        if at_least is not None:
            reached = value >= at_least
        elif at_most is not None:
            reached = value <= at_most
        return cls(name=name, value=value, n=n, at_least=at_least, at_most=at_most, reached=reached)


class Acceptance(Stored):
    """The acceptance table of one model, and the code it was measured by."""

    modality_shortcut: bool
    short_of_bar: list[str]
    figures: list[Figure]
    git: Git


class BaseRecord(Stored):
    """One training of a miniature. `git` is the code when the build was begun, `trained_by` that of
    each stage, which may have been finished before. `after_stage` are figures measured between
    stages; both are empty of trainings from before they were kept."""

    variant: Annotated[str, Field(pattern="^[a-z0-9_]+$")]
    seed: Annotated[int, Field(ge=0)]
    architecture: str = "llava"
    command: str
    started_at: str
    git: Git
    packages: dict[str, str]
    n_threads: int
    processor: str
    plan: dict[str, Any]
    seconds_per_stage: Annotated[dict[str, float], Field(min_length=1)]
    losses: dict[str, list[float]]
    trained_by: dict[str, Git] = Field(default_factory=dict)
    after_stage: dict[str, list[Figure]] = Field(default_factory=dict)
    acceptance: Acceptance | None

    @property
    def name(self) -> str:
        """`default-1`; of another architecture than LLaVA's, `qwen-default-1`."""
        before = "" if self.architecture == "llava" else f"{self.architecture}-"
        return f"{before}{self.variant}-{self.seed}"

    @property
    def stages(self) -> list[str]:
        """In the order in which they were trained."""
        return list(self.seconds_per_stage)

    @property
    def commits(self) -> list[str | None]:
        """Of the code that trained it, each once; None for one that nobody wrote down."""
        used = [git.commit for git in self.trained_by.values()] or [self.git.commit]
        return list(dict.fromkeys(used))

    def as_text(self) -> str:
        """As it is written to disk."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"

    def measured(self, stage: str) -> list[Figure]:
        """All figures after a stage; after the last one, the finished model's."""
        if stage == self.stages[-1]:
            return self.acceptance.figures if self.acceptance else []
        return self.after_stage.get(stage, [])

    def after(self, stage: str, name: str) -> float | None:
        """A figure after a stage; None where it was not measured."""
        return next((f.value for f in self.measured(stage) if f.name == name), None)

    def figure(self, name: str) -> float | None:
        """A figure of the finished model; None where it was not measured."""
        return self.after(self.stages[-1], name)


def check_gold(target: Path, gold: Path, *, persons: str | None = None) -> None:
    """Whether one checkpoint is a gold of the other, where that was told of persons: made by the
    same recipe from the same model, but for those that it was never told of; where these are to be
    `persons`, for these.

    Raises `UserError` in one line that names both and what differs. Seeds may differ.
    """
    ours = read_base(target / RECORD) if (target / RECORD).is_file() else None
    if ours is None or WITHOUT not in ours.plan:
        return
    theirs = read_base(gold / RECORD)
    if theirs.plan.get(WITHOUT) is None:
        raise UserError(
            f"{gold}: '{theirs.name}' is no gold of '{ours.name}': there is nobody whom only that "
            "was never told of; make one with `make testbed-privacy`"
        )
    if persons is not None and theirs.plan[WITHOUT] != persons:
        raise UserError(
            f"{gold}: '{theirs.name}' is no gold where {persons} is to be forgotten: it was never "
            f"told of {theirs.plan[WITHOUT]}; make one with `make testbed-privacy`"
        )
    names = (ours.plan.keys() | theirs.plan.keys()) - {WITHOUT}
    differing = sorted(name for name in names if ours.plan.get(name) != theirs.plan.get(name))
    if differing:
        raise UserError(
            f"{gold}: '{theirs.name}' is no gold of '{ours.name}': not the same "
            f"{', '.join(differing)}; rebuild both with `make testbed-privacy`"
        )


def write_base(folder: Path, record: BaseRecord) -> Path:
    """Put a training record beside its weights."""
    path = folder / RECORD
    write_atomic(path, record.as_text())
    return path


def read_base(path: Path) -> BaseRecord:
    """A training record. Raises `UserError` naming the file that is missing or damaged."""
    try:
        return BaseRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such training record") from None
    except ValidationError as error:
        problem = error_lines(error, BaseRecord)[0]
        raise UserError(f"{path}: corrupt training record: {problem}") from None
