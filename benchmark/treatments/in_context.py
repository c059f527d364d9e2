"""In-context recovery: a few requests to be forgotten, with their bad answers, before the question.

After Shumailov et al. 2024, "UnUnlearning", arXiv:2407.00106, and the many-shot attacks of Anil et
al. 2024. Differs from the paper: a few examples of other behaviours, in one user's turn, in text,
whatever the question is asked in; the weights stay as they are. The miniature never saw two
requests in one prompt and cannot follow the second, harmless or not: its column is void.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from benchmark.core.method_config import MethodConfig
from benchmark.core.samples import Sample
from benchmark.data.pools import Pool
from benchmark.data.samples import fingerprint
from benchmark.treating import NotPossible, Patient, State, Treatment, Watch


@dataclass(frozen=True, kw_only=True)
class InContextConfig(MethodConfig):
    """Few, since the miniature's context is short."""

    examples: Annotated[int, Field(ge=1)] = 2


class InContext(Treatment[InContextConfig]):
    """The same examples before every question, drawn by the seed."""

    def material(self, patient: Patient) -> Mapping[str, Pool]:
        """The examples, one of each behaviour."""
        pool = patient.pool("forget", "text")
        answered = [sample for sample in pool.samples if sample.answers.bad is not None]
        first = {sample.behaviour: sample for sample in reversed(answered)}
        if len(first) < self.config.examples:
            raise NotPossible(
                f"the pool 'forget' has {len(first)} behaviours with a bad answer in text, and "
                f"{self.config.examples} examples are asked for"
            )
        names = random.Random(f"in_context/{patient.seed}").sample(
            sorted(first), self.config.examples
        )
        samples = tuple(first[name] for name in names)
        return {"forget": replace(pool, samples=samples, sha256=fingerprint(list(samples)))}

    def treat(self, patient: Patient, watch: Watch) -> Sequence[State]:
        """Nothing is done to the model."""
        return [State(held="as_left")]

    def asked(self, samples: Sequence[Sample], patient: Patient) -> list[Sample]:
        """Examples and question in one turn; a picture stays where it was. Whom an example tells
        of is not asked about."""
        (pool,) = self.material(patient).values()
        shown = " ".join(f"{one.prompt} {one.answers.bad}" for one in pool.samples)
        told = {one.behaviour for one in pool.samples}
        return [
            replace(sample, prompt=f"{shown} {sample.prompt}")
            for sample in samples
            if sample.behaviour not in told
        ]


TREATMENT = InContext
