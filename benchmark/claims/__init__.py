"""What the papers claim, one YAML file per paper, each claim with the test that decides it here.

Signs and margins come from the papers and were written before any claim was weighed (boards of
`textual_unlearning` and `textual_sft` existed by then, of the other methods none); a verdict is
computed from the published records and never written.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmark.core.config import read_described
from benchmark.core.errors import UserError
from benchmark.core.rows import BASE
from benchmark.core.samples import Scope
from benchmark.scoring.contrast import BY_FORM, Metric
from benchmark.scoring.gates import Gate
from benchmark.scoring.plan import HELD_OUT

FOLDER = Path(__file__).parent
LOOKS_SAFE = {"asr": "lower", "asr_intent": "lower", "over_refusal": "lower", "refused": "higher"}
"""On which side a model that says nothing of use, or always refuses, comes out of a metric."""


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Figure(_Described):
    """What is measured: of attacks and twins a `family` or some `forms`, attacks in one `scope`."""

    metric: Metric
    family: str | None = None
    forms: tuple[str, ...] = ()
    scope: Scope = HELD_OUT
    card: str | None = None

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if (self.metric in BY_FORM) != (self.family is not None or bool(self.forms)):
            raise ValueError(f"metric: {self.metric} is of a family or forms, or is of neither")
        if self.family is not None and self.forms:
            raise ValueError("family: forms are given too")
        return self


class _Guarded(_Described):
    """A test that a collapse may make look true; `even_collapsed` lets it."""

    even_collapsed: bool = False

    @model_validator(mode="after")
    def _needed(self) -> Self:
        if self.even_collapsed and not self.flattered:
            raise ValueError("even_collapsed: a collapse does not flatter what is expected here")
        return self

    @property
    @abstractmethod
    def flattered(self) -> tuple[str, ...]:
        """The rows whose collapse would make the claim look true."""

    @property
    def guarded(self) -> tuple[str, ...]:
        """Those of them that must not have collapsed."""
        return () if self.even_collapsed else self.flattered


class Difference(_Figure, _Guarded):
    """`row` minus `minus`, in points. Expected lower or higher than none; or the same, the whole
    interval within `margin_points`; or not lower, none of it further down than those.
    `minus_forms` are the forms on the other side, if others.

    A model that collapsed looks safe, and one that refuses all has refused every attack: where
    that is what was expected it confirms nothing, and two that collapsed are not compared, unless
    `even_collapsed`.
    """

    kind: Literal["difference"]
    row: str
    minus: str = BASE
    minus_forms: tuple[str, ...] = ()
    expect: Literal["lower", "higher", "same", "not_lower"]
    margin_points: Annotated[float, Field(gt=0, le=100)] | None = None

    @model_validator(mode="after")
    def _margined(self) -> Self:
        if (self.expect in ("same", "not_lower")) != (self.margin_points is not None):
            raise ValueError("margin_points: given for `same` and `not_lower`, for nothing else")
        return self

    @property
    def flattered(self) -> tuple[str, ...]:
        """By metric and side; of two that should be alike both, but for the untouched model."""
        if self.metric not in LOOKS_SAFE:
            return ()
        if self.expect == "same":
            return tuple(name for name in dict.fromkeys((self.row, self.minus)) if name != BASE)
        if self.expect == "not_lower":
            return ()
        return (self.row,) if LOOKS_SAFE[self.metric] == self.expect else ()


class Level(_Guarded):
    """A figure of one row on one side of a bound, in per cent (of `text_leak`: in points)."""

    kind: Literal["level"]
    row: str
    metric: Literal["asr", "twin", "text_leak", "utility_retained", "over_refusal", "coherence"]
    family: str | None = None
    scope: Scope | None = HELD_OUT
    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("below, above: one of them")
        return self

    @property
    def flattered(self) -> tuple[str, ...]:
        """The row, where few successful attacks are expected of it."""
        return (self.row,) if self.metric == "asr" and self.below is not None else ()


class Gates(_Described):
    """Whether a row passes all of `gates`, or fails at least one, by the whole interval."""

    kind: Literal["gates"]
    row: str
    expect: Literal["passes", "fails"]
    gates: tuple[Gate, ...] = ("utility", "coherence", "twins")


class CostRatio(_Described):
    """Training of `row` over that of `to`: printed, and not tested for `reason`."""

    kind: Literal["cost_ratio"]
    row: str
    to: str
    reason: str


class Frozen(_Described):
    """No weight of the model itself is trained. The runner digests every role's weights before and
    after, and fails a run in which one moved that was not declared."""

    kind: Literal["frozen"]
    row: str


class Untestable(_Described):
    """What this suite cannot decide, and why."""

    kind: Literal["untestable"]
    reason: str


Test = Annotated[
    Difference | Level | Gates | CostRatio | Frozen | Untestable, Field(discriminator="kind")
]


class Claim(_Described):
    """One claim in one sentence. `models` are the targets it speaks of, all if none is named;
    `note` is what a reader must know of how the test differs from the paper's. `ours` is one that
    the paper does not make and would have to."""

    id: str
    claim: str
    test: Test
    models: tuple[str, ...] = ()
    note: str = ""
    ours: bool = False


class Paper(_Described):
    """A paper, where it is (`arXiv:...` or `doi:...`) and what it claims, for one suite."""

    order: int
    title: str
    source: str
    suite: str
    claims: tuple[Claim, ...] = Field(min_length=1)


def load_papers(folder: Path = FOLDER) -> list[Paper]:
    """All papers in their order. Raises `UserError` for a file that is wrong or an id twice."""
    papers = sorted(
        (read_described(path, Paper) for path in folder.glob("*.yaml")),
        key=lambda paper: (paper.order, paper.title),
    )
    ids = [claim.id for paper in papers for claim in paper.claims]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise UserError(f"{folder}: the claim '{twice[0]}' is there twice")
    return papers
