"""The record of a run and all it is made of. Frozen, strict, JSON without NaN; rates are 0 to 1."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, JsonValue

from benchmark.core.attack_records import AttackInfo, Transformation
from benchmark.core.data_uses import DataUse, MissingData
from benchmark.core.leaks import ComparedBy, LeakComparison, Leaks
from benchmark.core.plan import Plan
from benchmark.core.verdicts import (
    Label,
    Response,
    Score,
    Stored,
    UnscoredReason,
    Verdict,
    VerdictRow,
)

# What a run's record is read with, whichever of the three files it is written in.
__all__ = [
    "BatchCount", "Canary", "ComparedBy", "Cost", "DataUse", "Endpoint", "Git", "JudgeInfo",
    "Keys", "Label", "LeakComparison", "Leaks", "MethodInfo", "MissingData", "PhaseDivision",
    "Response", "RunRecord", "RunSpec", "Score", "Selection", "ServedProbe", "Serving", "Stage",
    "StageCost", "Status", "StepLog", "Stored", "SuiteFacts", "System", "TrainingLog",
    "UnscoredReason", "Verdict", "VerdictRow",
]  # fmt: skip

SCHEMA_VERSION = 1

Status = Literal["done", "failed", "over_budget", "interrupted"]
Stage = Literal["load", "caches", "train", "attack", "generate", "judge", "likelihood", "score"]


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


class Endpoint(Stored):
    """Where answers are asked for that are not made here: an address up to `/v1`, and the name of
    the model there. Its key is never part of it."""

    url: str
    model: str

    @property
    def name(self) -> str:
        """What a row's model is called that is asked there: `llava@127.0.0.1:8000`. Two addresses
        have two names, and `/v1` is left out, which nearly all end in."""
        parts = urlsplit(self.url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        path = {"/v1": "", "": "/"}.get(parts.path, parts.path)
        return f"{self.model}@{host}:{port}{path}"


class RunSpec(Stored):
    """All that a run was asked to do, defaults filled in. With an endpoint, `model` is the one that
    it serves and where, and `precision` that of the local model which coherence is measured by.
    `computed_in` is what flows through rounded weights where that is not fp32. `remote_code` names
    the classes in code of a checkpoint's own that were trusted to run, of its processor and
    tokenizer too, the model's first."""

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
    # Left out where there is none, so that a run without them is called what it always was.
    preset: str | None = Field(default=None, exclude_if=lambda preset: preset is None)
    gradient_checkpointing: bool = Field(default=False, exclude_if=lambda on: not on)
    computed_in: str | None = Field(default=None, exclude_if=lambda numbers: numbers is None)
    remote_code: str | None = Field(default=None, exclude_if=lambda code: code is None)
    endpoint: Endpoint | None = Field(default=None, exclude_if=lambda endpoint: endpoint is None)


class MethodInfo(Stored):
    """Which method it was. `source_sha256` is of its code, without comments and docstrings."""

    name: str
    origin: str
    source_sha256: str
    summary: str
    reference_row: bool
    deterministic: bool
    oracle: bool = False
    trained_roles: dict[str, str]
    trainable_params: int
    total_params: int
    served_by: list[str]
    hooks: list[str]


class JudgeInfo(Stored):
    """A judge's identity and its record on the gold cases."""

    name: str
    identity: str
    ranks: bool
    sensitivity: float | None
    specificity: float | None
    n_gold_harmful: int
    n_gold_harmless: int
    # The labels that it can give, where these are not all; and whether its gold cases are of one
    # kind with what it judges, so that they say how to correct its figures.
    gives: list[Label] = Field(default_factory=list, exclude_if=lambda labels: not labels)
    calibrates: bool = Field(default=True, exclude_if=lambda alike: alike)


class Canary(Stored):
    """Did anything change inside the forget scope? Greedy answers, method against base."""

    n: int
    n_changed: int


class BatchCount(Stored):
    """How many batches of one size were asked."""

    size: int = Field(ge=1)
    n: int = Field(ge=1)


class ServedProbe(Stored):
    """Answers of an engine inside the forget scope, beside transformers' own of the same model
    (`n_agree`) and the engine's own of the untouched one (`n_changed`, None where it is that)."""

    n: int
    n_agree: int
    n_changed: int | None


class Serving(Stored):
    """How answers were made: by which engine, in which batches, with the weights in which `form`
    (trained ones merged or beside the others; None where they are others'), and by `probe` whether
    it answers as transformers does; None where it is transformers."""

    engine: str
    version: str | None
    form: str | None
    batches: list[BatchCount]
    probe: ServedProbe | None


class PhaseDivision(Stored):
    """How a phase's batches were computed, when it was last gone on with: so many samples of each
    pool at once, so many times in each of so many processes, which makes a batch. One that is not
    divided is computed by every process alike, and counts as one's."""

    phase: str
    batch_size: int = Field(ge=1)
    micro_batch: int = Field(ge=1)
    accumulation: int = Field(ge=1)
    processes: int = Field(ge=1)
    strategy: str


class TrainingLog(Stored):
    """Thinned loss curves: per named term (unweighted) and in total, [step, value]. Of several
    phases each curve bears its phase before the term: `gate/forget`."""

    n_steps: int
    n_answer_tokens: int
    n_tokens: int
    n_image_tokens: int
    curves: dict[str, list[tuple[int, float]]]
    resumed_at_steps: list[int] = Field(default_factory=list)
    # Older records do not say.
    divisions: list[PhaseDivision] = Field(default_factory=list)


class StepLog(Stored):
    """One training step: the weighted total and every unweighted term, None for one that is not
    finite, which may be where its weight is zero."""

    step: int
    total: float
    terms: dict[str, float | None]


class Keys(Stored):
    """Content keys of the stages; `None` for a stage that was not reached."""

    train: str | None = None
    generate: str | None = None
    judge: str | None = None
    score: str | None = None


class SuiteFacts(Stored):
    """What a table must say of the suite, and how its answers are scored."""

    title: str
    notice: str
    plan: Plan


class RunRecord(Stored):
    """One method on one model with one seed: everything needed to believe or repeat it."""

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
    suite: SuiteFacts | None = None
    keys: Keys
    method: MethodInfo
    model_sha256: str | None = None
    base_answers_key: str | None = None
    selection: Selection | None = None
    data: list[DataUse] = Field(default_factory=list)
    # Left out where there are none.
    missing: list[MissingData] = Field(default_factory=list, exclude_if=lambda sets: not sets)
    scores: list[Score] = Field(default_factory=list)
    judges: list[JudgeInfo] = Field(default_factory=list)
    cost: Cost | None = None
    training: TrainingLog | None = None
    canary: Canary | None = None
    serving: Serving | None = None
    leaks: Leaks | None = None
    notes: list[str] = Field(default_factory=list)
    rankable: bool = False
    unrankable_reasons: list[str] = Field(default_factory=list)
    digests: dict[str, str] = Field(default_factory=dict)
    attacks: list[AttackInfo] = Field(default_factory=list, exclude_if=lambda forms: not forms)
    transformations: list[Transformation] = Field(
        default_factory=list, exclude_if=lambda made: not made
    )
