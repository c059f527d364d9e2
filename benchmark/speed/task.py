"""What both sides of a comparison are told to do, and what each has to say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from benchmark.speed.figures import Lengths
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions

Term = Literal["kl", "npo"]
Side = Literal["ours", "neighbours"]

SEED = 0
LEARNING_RATE = 1e-4
MAX_GRADIENT_NORM = 1.0
LORA_RANK, LORA_ALPHA = 16, 32.0
BETA = 0.1


@dataclass(frozen=True, kw_only=True)
class Task:
    """One training: its model, its samples and its steps. `n_threads` None leaves them to the
    loader, which gives a small model one."""

    checkpoint: Path
    term: Term
    tuning: Literal["lora", "full"]
    n_samples: int
    """Of each of the two pools."""
    batch_size: int
    steps: int
    device: str
    precision: str
    length_spread: float
    n_threads: int | None


@dataclass(frozen=True, kw_only=True)
class Work:
    """What went through the student once: padding and second passes do not count. With padding it
    is `n_positions`, which is each side's own affair and not compared."""

    n_samples: int
    n_tokens: int
    n_answer_tokens: int
    lengths: Lengths
    n_positions: int = field(compare=False)


class Clock(Protocol):
    """Told when the work begins, and after every step."""

    def begin(self) -> None:
        """All that is charged comes after this."""

    def step(self) -> None:
        """One optimiser step is done."""


class HowTo(Protocol):
    """What a side's module brings. Prompts that are tokens already stay so in the perceptions."""

    KEEPS_REFERENCE: bool
    """Is what the reference says of a sample kept from step to step?"""
    load: Callable[[Task, Perceptions], VisionLanguageModel]
    train: Callable[[VisionLanguageModel, Task, Clock], Work]
    keeps_freed_memory: Callable[[VisionLanguageModel, Task], bool]
