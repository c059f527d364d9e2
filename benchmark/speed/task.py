"""What both sides of a comparison are told to do, and what each has to say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

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
    n_threads: int | None


@dataclass(frozen=True, kw_only=True)
class Work:
    """What went through the student once: padding and second passes do not count."""

    n_samples: int
    n_tokens: int
    n_answer_tokens: int


class Clock(Protocol):
    """Told when the work begins, and after every step."""

    def begin(self) -> None:
        """All that is charged comes after this."""

    def step(self) -> None:
        """One optimiser step is done."""


class HowTo(Protocol):
    """What a side's module brings. Prompts that are tokens already stay so in the perceptions."""

    load: Callable[[Task, Perceptions], VisionLanguageModel]
    train: Callable[[VisionLanguageModel, Task, Clock], Work]
