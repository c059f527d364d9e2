"""The types that travel from data to attacks to engines to judges.

A `Sample` is one thing a model can be asked. It is frozen; an attack returns a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Modality = Literal["text", "image"]
Purpose = Literal[
    "attack", "twin", "comprehension", "over_refusal", "utility", "recall", "membership", "training"
]
"""`recall` are questions about persons; of those for `membership`, about persons whom nobody was
trained on, no answer is asked, only how likely the right one is."""
Scope = Literal["in_scope", "held_out", "unseen"]
PhraseSet = Literal["train", "evaluation"]


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """An image on disk, known by its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What may be said. `references` are right answers; `bad` and `good` train methods; `target` is
    how a set's own attack wants the answer to begin."""

    bad: str | None = None
    good: str | None = None
    references: tuple[str, ...] = ()
    paraphrases: tuple[str, ...] = ()
    perturbed: tuple[str, ...] = ()
    target: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One prompt, with or without images, and what is known about its answer.

    `id` is `card/split/key` and stable. `behaviour` is what rates are averaged over, runs are
    paired by and leaks are counted by. `subject` is the word or request an attack dresses up.
    `system` is a system turn, `before_image` the user's words that come before the image.
    `max_new_tokens` is how long its answer may be, where that is not the suite's limit.
    """

    id: str
    behaviour: str
    card: str
    purpose: Purpose
    prompt: str
    system: str | None = None
    before_image: str | None = None
    subject: str = ""
    images: tuple[ImageFile, ...] = ()
    answers: Answers = field(default_factory=Answers)
    caption: str | None = None
    retrieved: str | None = None
    category: str | None = None
    attack: str | None = None
    scope: Scope | None = None
    max_new_tokens: int | None = None

    @property
    def modality(self) -> Modality:
        """What a model must take in to answer it."""
        return "image" if self.images else "text"
