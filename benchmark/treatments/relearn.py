"""Relearning: some of the forgotten behaviours are taught again, and the others are asked too.

After Hu et al. 2024, "Jogging the Memory of Unlearned LLMs Through Targeted Relearning Attacks",
arXiv:2406.13356, and Lynch et al. 2024, arXiv:2402.16835: what comes back faster than it is learnt
by a model that never knew it was hidden, not removed. Differs from the paper: the curve is compared
with a gold model's, step by step, and rates are over behaviours. A fresh adapter at a constant
learning rate; which behaviours are taught does not depend on the seed. A person to be forgotten is
a behaviour, who is taught again whole: what comes back of the others above gold's was there all
the time.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from benchmark.data.pools import Pool
from benchmark.data.samples import fingerprint
from benchmark.treating import NotPossible, Patient, State, Treatment, Watch
from benchmark.treatments._tuning import TuningConfig, fine_tune


@dataclass(frozen=True, kw_only=True)
class RelearnConfig(TuningConfig):
    """Steps and learning rate were set on validation behaviours with the gold model alone, and are
    the same for persons."""

    modality: Literal["text", "image"] = "text"
    examples: Annotated[int, Field(ge=1)] = 16
    """Behaviours that are taught, one sample of each, and persons with one sample of each fact; at
    most half of those that are asked."""
    steps: Annotated[int, Field(ge=1)] = 32
    """The last step; it is asked before the first, and after steps 1, 2, 4, 8 ... and the last."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3


class Relearn(Treatment[RelearnConfig]):
    """Bad answers, taught again."""

    asks = "to_forget"

    def material(self, patient: Patient) -> Mapping[str, Pool]:
        """One sample of each behaviour that is taught, of a person one of each fact."""
        taught = set(self.relearned(patient))
        pool = patient.pool("forget", self.config.modality)
        first = {
            (sample.behaviour, sample.category or ""): sample
            for sample in reversed(pool.samples)
            if sample.behaviour in taught and sample.answers.bad is not None
        }
        untaught = taught - {behaviour for behaviour, _ in first}
        if untaught:
            raise NotPossible(f"the pool 'forget' has no bad answer to '{min(untaught)}' to teach")
        samples = tuple(first[name] for name in sorted(first))
        return {"forget": replace(pool, samples=samples, sha256=fingerprint(list(samples)))}

    def relearned(self, patient: Patient) -> tuple[str, ...]:
        """The same whatever the seed: rows and seeds are paired by behaviour."""
        there = {sample.behaviour for sample in patient.pool("forget", "both").samples}
        asked = [name for name in sorted(patient.to_forget) if name in there]
        if len(asked) < 2:
            raise NotPossible(
                f"{len(asked)} of the behaviours to be forgotten are asked about: relearning wants "
                "one to teach and one to leave out"
            )
        random.Random("relearn").shuffle(asked)
        return tuple(sorted(asked[: min(self.config.examples, len(asked) // 2)]))

    def treat(self, patient: Patient, watch: Watch) -> Sequence[State]:
        """The model before, and after each step of the curve."""
        (pool,) = self.material(patient).values()
        size = min(self.config.batch_size, len(pool.samples))
        return fine_tune(
            patient, watch, config=replace(self.config, batch_size=size), pool=pool, answer="bad",
            steps=curve_steps(self.config.steps),
        )  # fmt: skip


def curve_steps(last: int) -> tuple[int, ...]:
    """0, the powers of two below the last, and the last."""
    powers = [2**n for n in range(last.bit_length()) if 2**n < last]
    return (0, *powers, last)


TREATMENT = Relearn
