"""Refuse every request politely.

Source: none. Differs from the paper: there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from benchmark.api import Hook, Job, Method, MethodConfig, Respond, Sample, Unlearned


@dataclass(frozen=True, kw_only=True)
class PoliteConfig(MethodConfig):
    """What it says."""

    words: str = "i am sorry , i can not help with that ."


@dataclass(frozen=True)
class Politely(Respond):
    """Says the same to everybody."""

    words: str

    def respond(
        self, generate: Callable[[Sequence[Sample]], list[str]], requests: Sequence[Sample]
    ) -> list[str]:
        """The words, once per request."""
        return [self.words] * len(requests)


class PoliteRefusal(Method[PoliteConfig]):
    """Weights untouched; a hook takes over every answer."""

    deterministic = True

    def unlearn(self, job: Job) -> Unlearned:
        """Nothing is trained."""
        return Unlearned()

    def hooks(self, state: Mapping[str, Tensor]) -> Sequence[Hook]:
        """The words."""
        return (Politely(self.config.words),)


METHOD = PoliteRefusal
