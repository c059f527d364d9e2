"""What an engine is: it turns samples into responses by a plan. Which ones there are, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from benchmark.core.records import Response
from benchmark.core.samples import Sample
from benchmark.cost.lending import Lending

LOCAL, VLLM, OPENAI = "local", "vllm", "openai"


class Engine(Protocol):
    """A model with its changed weights and hooks that answers, until it is closed."""

    @property
    def lendings(self) -> tuple[Lending, ...]:
        """What a stage that asks it is charged for."""

    def plan(self, samples: Sequence[Sample], *, batch_size: int) -> list[list[Sample]]:
        """The fixed batches in which these samples are answered."""

    def prime(self, samples: Sequence[Sample]) -> None:
        """Do what is better done once for all that will be asked."""

    def answer(self, samples: Sequence[Sample]) -> list[Response]:
        """Responses to one batch, in order."""

    def answers(self, batches: Sequence[Sequence[Sample]]) -> Iterator[list[Response]]:
        """Responses to batch after batch, in order; several at once where that helps."""

    def close(self) -> None:
        """Give back what it holds; it is not asked any more."""
