"""Answer every request with noise: a collapsed model, safe by no merit of its own.

Source: none, a reference row that must fail the coherence and twin gates.
Differs from the paper: there is none.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor

from benchmark.api import Hook, Job, Method, MethodConfig, Respond, Sample, Unlearned

CONSONANTS, VOWELS = "bcdfgklmnprstvz", "aeiou"


@dataclass(frozen=True, kw_only=True)
class GibberishConfig(MethodConfig):
    """How much noise."""

    words: Annotated[int, Field(ge=1)] = 8


@dataclass(frozen=True)
class Babble(Respond):
    """Words without meaning, the same for the same request."""

    asks_model = False

    words: int

    def respond(
        self, generate: Callable[[Sequence[Sample]], list[str]], requests: Sequence[Sample]
    ) -> list[str]:
        """Noise drawn from the request's id."""
        return [self._noise(random.Random(request.id)) for request in requests]

    def _noise(self, rng: random.Random) -> str:
        syllables = [rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(3 * self.words)]
        return " ".join("".join(syllables[at : at + 3]) for at in range(0, len(syllables), 3))


class Gibberish(Method[GibberishConfig]):
    """Weights untouched; a hook takes over every answer."""

    deterministic = True
    reference_row = True

    def unlearn(self, job: Job) -> Unlearned:
        """The null artifact: all of it is the hook."""
        return Unlearned()

    def hooks(self, state: Mapping[str, Tensor]) -> Sequence[Hook]:
        """The noise."""
        return (Babble(self.config.words),)


METHOD = Gibberish
