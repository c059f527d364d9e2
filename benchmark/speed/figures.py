"""What a comparison found, as figures that can be kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.core.records import Git, System
from benchmark.core.verdicts import Stored
from benchmark.cost.spread import Spread


class Lengths(Stored):
    """Tokens of a sample, its answer among them."""

    shortest: int
    median: float
    longest: int


class SideFigures(Stored):
    """One side on one term. Tokens are those of prompts and answers that went through the student
    once, padding and second passes not counted; memory is the median of the peaks, None where the
    system does not tell."""

    tokens_per_s: Spread
    samples_per_s: Spread
    step_s: Spread
    """Of the median step of each repeat."""
    resting_bytes: int = Field(ge=0)
    peak_bytes: int | None = Field(ge=0)
    n_samples: int = Field(ge=1)
    n_tokens: int = Field(ge=1)
    n_answer_tokens: int = Field(ge=1)
    positions_per_token: float = Field(ge=1)
    """Computed for every token that counts: what padding adds."""
    keeps_reference: bool
    """Is what the reference says of a sample kept from step to step?"""
    keeps_freed_memory: bool
    """Is the C library told to keep what is freed (`benchmark.cost.allocator`)?"""

    @property
    def above_bytes(self) -> int | None:
        """What the work took beside one copy of the weights."""
        return None if self.peak_bytes is None else self.peak_bytes - self.resting_bytes


class TermFigures(Stored):
    """Both sides on one term, repeat by repeat in turns; `speed_ratio` is how many times as fast
    ours is, memory ratios are ours over the neighbours'. Where these ran out of memory there is
    nothing but ours."""

    term: str
    ours: SideFigures
    neighbours: SideFigures | None
    neighbours_ended: str | None
    """Why there are no figures of theirs."""
    speed_ratio: Spread | None
    core_ratio: Spread | None
    """Of core-seconds, which other work on the machine lengthens less; None on a GPU."""
    memory_above_ratio: float | None
    memory_total_ratio: float | None


class StepFigures(Stored):
    """A whole comparison, with all that is needed to repeat it."""

    model: str
    sizes: dict[str, int] | None
    """None for a checkpoint, which has its own."""
    n_parameters: int
    head_share: float
    """The head's among the weights of the language model that a state is multiplied with."""
    lengths: Lengths
    length_spread: float
    """Standard deviation of the logarithm of a length; 0 draws all alike."""
    tuning: str
    precision: str
    n_samples: int
    batch_size: int
    steps: int
    repeats: int
    terms: list[TermFigures]
    git: Git
    packages: dict[str, str]
    system: System


class Part(Stored):
    """What one thing in a run took; of the untouched model's own run apart."""

    what: str
    untouched: bool
    wall_s: float


class Overhead(Stored):
    """A stage of the harness beside the bare loop: what it adds, as shares of the bare loop, by the
    wall clock and by processor time, which other work lengthens less. Both go in turns, step by
    step and batch by batch. A repeat is two runs; each side is a turn ahead in one of them, and its
    figure is the mean of both."""

    stage: Literal["train", "generate"]
    stage_s: Spread
    bare_s: Spread
    share: Spread
    core_share: Spread


class WholeFigures(Stored):
    """A whole run from nothing, second by second, and what the harness adds to its loops."""

    method: str
    model: str
    suite: str
    limit: int | None
    repeats: int
    first_line_s: float
    total_s: float
    parts: list[Part]
    """In the order in which they were begun; they add up to `total_s`."""
    overheads: list[Overhead]
    git: Git
    packages: dict[str, str]
    system: System


class EngineFigures(Stored):
    """One way to answer, round by round; `times` is its answers per second over those of the plain
    loop in the same round."""

    name: str
    answers_per_s: Spread
    times: Spread
    n_identical: int
    """Answers that say what the plain loop says."""
    start_s: float
    """Until it could be asked, model loaded: on no clock of the rounds."""


class EnginesFigures(Stored):
    """The same requests by the plain loop, one at a time, and by each engine, in turns."""

    model: str
    suite: str
    precision: str
    max_new_tokens: int
    n_samples: int
    n_with_images: int
    rounds: int
    batch_size: int
    sides: list[EngineFigures]
    """The plain loop first."""
    without: dict[str, str]
    """Engines that there are no figures of, and why."""
    vllm_version: str | None
    git: Git
    packages: dict[str, str]
    system: System


class DataStep(Stored):
    """One pass over all rows; the peak is that of the process so far, None where the system does
    not tell."""

    what: str
    n_rows: int = Field(ge=1)
    wall_s: float
    peak_bytes: int | None


class DataFigures(Stored):
    """A set of many rows through loading, leak check and sampling, in a process of its own."""

    n_rows: int
    n_bytes: int
    """Of its file of JSON lines."""
    n_scored: int
    """Requests that the rows are held against."""
    n_planted_equal: int
    n_planted_near: int
    n_found_equal: int
    n_found_near: int
    near_rule: str
    n_drawn: int
    steps: list[DataStep]
    git: Git
    packages: dict[str, str]
    system: System
