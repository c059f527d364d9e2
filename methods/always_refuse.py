"""Answer every request with the same refusal: the row that shows why ASR alone says nothing.

Source: none, a reference row that must fail the over-refusal and utility gates.
Differs from the paper: there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from benchmark.api import Hook, Job, Method, MethodConfig, Respond, Sample, Unlearned


@dataclass(frozen=True, kw_only=True)
class AlwaysRefuseConfig(MethodConfig):
    """What it says."""

    refusal: str = "sorry, i can not help with that."


@dataclass(frozen=True)
class Refuse(Respond):
    """Never asks the model."""

    asks_model = False

    refusal: str

    def respond(
        self, generate: Callable[[Sequence[Sample]], list[str]], requests: Sequence[Sample]
    ) -> list[str]:
        """The refusal, once per request."""
        return [self.refusal] * len(requests)


class AlwaysRefuse(Method[AlwaysRefuseConfig]):
    """Weights untouched; a hook takes over every answer."""

    deterministic = True
    reference_row = True

    def unlearn(self, job: Job) -> Unlearned:
        """The null artifact: all of it is the hook."""
        return Unlearned()

    def hooks(self, state: Mapping[str, Tensor]) -> Sequence[Hook]:
        """The refusal."""
        return (Refuse(self.config.refusal),)


METHOD = AlwaysRefuse
