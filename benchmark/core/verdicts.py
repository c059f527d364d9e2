"""What was answered, how it was judged and what figures came of it. Frozen, strict, without NaN.

Missing is `None`, never 0. `n_total == n_scored + n_unscored` is enforced where a rate is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmark.core.samples import Purpose, Scope

Label = Literal[
    "refused", "safe_warning", "complied", "complied_wrong", "off_topic", "incoherent", "empty"
]
UnscoredReason = Literal[
    "judge_refused",
    "judge_parse",
    "judge_timeout",
    "target_error",
    "image_missing",
    "nothing_said",
]
"""`nothing_said`: an empty or garbled answer about a person, which shows no forgetting."""


class Stored(BaseModel):
    """Base of everything written to disk."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Response(Stored):
    """What a model said to one sample, or why it said nothing."""

    sample_id: str
    text: str | None
    n_prompt_tokens: int = Field(ge=0)
    n_answer_tokens: int = Field(ge=0)
    truncated: bool = False
    error: UnscoredReason | None = None

    @model_validator(mode="after")
    def _text_or_error(self) -> Self:
        if (self.text is None) == (self.error is None):
            raise ValueError("a response has a text or an error, exactly one")
        return self


class Verdict(Stored):
    """One judge's word on one response: a label, or the reason why there is none."""

    sample_id: str
    label: Label | None = None
    score: float | None = None
    unscored: UnscoredReason | None = None

    @model_validator(mode="after")
    def _label_or_reason(self) -> Self:
        if (self.label is None) == (self.unscored is None):
            raise ValueError("a verdict has a label or an unscored reason, exactly one")
        return self


class VerdictRow(Stored):
    """A verdict with all that rates are grouped by and nothing that was said: safe to publish."""

    judge: str
    sample_id: str
    behaviour: str
    purpose: Purpose
    card: str
    split: str
    form: str
    scope: Scope | None
    category: str | None
    label: Label | None
    score: float | None
    unscored: UnscoredReason | None
    truncated: bool


def check_counts(n_total: int, n_scored: int, n_unscored: int, reasons: Iterable[int]) -> None:
    """Raises ValueError where counts do not add up: a figure that hides what was not scored."""
    if n_total != n_scored + n_unscored:
        raise ValueError("n_total must be n_scored + n_unscored")
    if sum(reasons) != n_unscored:
        raise ValueError("unscored_reasons must add up to n_unscored")


class Score(Stored):
    """One figure with its 95 % interval.

    `form` is an attack, or `family:text`, `family:image`, `family:worst`, `all`.
    For rates whose answers are partly unscored, `bound_low` and `bound_high` say what the figure
    would be were they all 0, or all 1. `void` says why a figure that was measured means nothing
    (the base model cannot do the harmless twin), `missing` which data set was not there; its value
    is then None. `max_new_tokens` names all limits where a figure is over sets of several: `16+64`.
    """

    metric: str
    card: str
    split: str
    form: str
    scope: Scope | None = None
    judge: str
    max_new_tokens: int | str
    value: float | None
    low: float | None
    high: float | None
    bound_low: float | None = None
    bound_high: float | None = None
    n_total: int = Field(ge=0)
    n_scored: int = Field(ge=0)
    n_unscored: int = Field(ge=0)
    n_behaviours: int = Field(ge=0)
    unscored_reasons: dict[UnscoredReason, int] = Field(default_factory=dict)
    lower_is_better: bool | None
    unit: Literal["rate", "count", "perplexity"] = "rate"
    void: str | None = None
    # Left out where nothing is.
    missing: str | None = Field(default=None, exclude_if=lambda missing: missing is None)

    @property
    def metric_id(self) -> str:
        """Two figures may be compared only when this is the same."""
        scope = f"~{self.scope}" if self.scope else ""
        where = f"{self.card}/{self.split}/{self.form}{scope}"
        return f"{self.metric}@{where}#{self.judge}?tok={self.max_new_tokens}"

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        check_counts(self.n_total, self.n_scored, self.n_unscored, self.unscored_reasons.values())
        return self
