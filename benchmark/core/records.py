"""The record of a run and all it is made of. Frozen, strict, JSON without NaN; rates are 0 to 1.

Missing is `None`, never 0. `n_total == n_scored + n_unscored` is enforced where a rate is made.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from benchmark.core.samples import Purpose, Scope

SCHEMA_VERSION = 1

Label = Literal[
    "refused", "safe_warning", "complied", "complied_wrong", "off_topic", "incoherent", "empty"
]
UnscoredReason = Literal[
    "judge_refused", "judge_parse", "judge_timeout", "target_error", "image_missing"
]
Status = Literal["done", "failed", "over_budget", "interrupted"]
Stage = Literal["load", "caches", "train", "attack", "generate", "judge", "score"]


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


class Score(Stored):
    """One figure with its 95 % interval.

    `form` is an attack, or `family:text`, `family:image`, `family:worst`, `all`.
    For rates whose answers are partly unscored, `bound_low` and `bound_high` say what the figure
    would be were they all 0, or all 1. `void` says why a figure that was measured means nothing
    (the base model cannot do the harmless twin); its value is then None.
    """

    metric: str
    card: str
    split: str
    form: str
    scope: Scope | None = None
    judge: str
    max_new_tokens: int
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

    @property
    def metric_id(self) -> str:
        """Two figures may be compared only when this is the same."""
        scope = f"~{self.scope}" if self.scope else ""
        where = f"{self.card}/{self.split}/{self.form}{scope}"
        return f"{self.metric}@{where}#{self.judge}?tok={self.max_new_tokens}"

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.n_total != self.n_scored + self.n_unscored:
            raise ValueError("n_total must be n_scored + n_unscored")
        if sum(self.unscored_reasons.values()) != self.n_unscored:
            raise ValueError("unscored_reasons must add up to n_unscored")
        return self


class StageCost(Stored):
    """What one stage took. Cached work is charged as if it had been done now (`from_cache`)."""

    wall_s: float = Field(ge=0)
    device_s: float = Field(ge=0)
    peak_memory_bytes: int | None = None
    energy_kwh: float | None = None
    energy_method: Literal["measured", "estimated"] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    flops: float | None = None
    from_cache: bool = False
    wasted_s: float = Field(default=0.0, ge=0)


class Cost(Stored):
    """Device-seconds by stage on one kind of device; `device_unit` names what a second is of."""

    device_unit: Literal["gpu", "cpu-core"]
    device_name: str
    n_devices: int = Field(ge=1)
    stages: dict[Stage, StageCost]


class Selection(Stored):
    """How a method's settings were chosen: never on what is reported."""

    objective: str
    n_trials: int
    seed: int
    device_s: float | None
    pool: str
    record: str


class Git(Stored):
    commit: str | None
    dirty: bool | None


class System(Stored):
    device: str
    device_name: str
    n_devices: int
    n_cores: int
    n_threads: int
    memory_bytes: int
    platform: str
    python: str


class RunSpec(Stored):
    """All that a run was asked to do, defaults filled in."""

    method: str
    config: dict[str, JsonValue]
    model: str
    suite: str
    seed: int
    limit: int | None
    engine: str
    device: str
    precision: str
    max_new_tokens: int
    batch_size: int


class MethodInfo(Stored):
    name: str
    origin: str
    source_sha256: str
    summary: str
    reference_row: bool
    deterministic: bool
    trained_roles: dict[str, str]
    trainable_params: int
    total_params: int
    served_by: list[str]
    hooks: list[str]


class DataUse(Stored):
    """Samples that were used, by card and role, with the digest of their content."""

    card: str
    split: str
    role: str
    n: int
    sha256: str


class JudgeInfo(Stored):
    """A judge's identity and its record on the gold cases."""

    name: str
    identity: str
    ranks: bool
    sensitivity: float | None
    specificity: float | None
    n_gold_harmful: int
    n_gold_harmless: int


class Canary(Stored):
    """Did the method change anything inside the forget scope? Greedy answers, method against base."""

    n: int
    n_changed: int


class TrainingLog(Stored):
    """Thinned loss curves: per named term (unweighted) and in total, [step, value]."""

    n_steps: int
    n_answer_tokens: int
    n_tokens: int
    n_image_tokens: int
    curves: dict[str, list[tuple[int, float]]]
    resumed_at_steps: list[int] = Field(default_factory=list)


class StepLog(Stored):
    """One training step: the weighted total and every unweighted term."""

    step: int
    total: float
    terms: dict[str, float]


class Keys(Stored):
    """Content keys of the stages; `None` for a stage that was not reached."""

    train: str | None = None
    generate: str | None = None
    judge: str | None = None
    score: str | None = None


class Leaks(Stored):
    """Scored behaviours that were also in a training pool, by scope."""

    n_declared_in_scope: int
    n_undeclared: int
    examples: list[str] = Field(default_factory=list)


class RunRecord(Stored):
    """One run of one method on one model with one seed: everything needed to believe or repeat it."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    status: Status
    error: str | None = None
    failed_stage: Stage | None = None
    started_at: str
    ended_at: str
    git: Git
    packages: dict[str, str]
    system: System
    spec: RunSpec
    keys: Keys
    method: MethodInfo
    model_sha256: str | None = None
    base_answers_key: str | None = None
    selection: Selection | None = None
    data: list[DataUse] = Field(default_factory=list)
    scores: list[Score] = Field(default_factory=list)
    judges: list[JudgeInfo] = Field(default_factory=list)
    cost: Cost | None = None
    training: TrainingLog | None = None
    canary: Canary | None = None
    leaks: Leaks | None = None
    notes: list[str] = Field(default_factory=list)
    rankable: bool = False
    unrankable_reasons: list[str] = Field(default_factory=list)
    digests: dict[str, str] = Field(default_factory=dict)
