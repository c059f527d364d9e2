"""A method at work on a loaded model: the same for a run that counts and for a check of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.api import Job, Method, Role, TrainingConfig, Unlearned
from benchmark.core.errors import RunFailed
from benchmark.core.roles import SEEING
from benchmark.stages.surroundings import Surroundings
from benchmark.training.draws import seed_all
from benchmark.training.loop import Loop
from benchmark.vlm.artifacts import WeightsDelta
from benchmark.vlm.model import VisionLanguageModel


def unlearn(method: Method[Any], *, loop: Loop, gold: Callable[[], WeightsDelta]) -> Unlearned:
    """What the method leaves behind, with its loop's model, pools and seed."""
    job = Job(model=loop.model, pools=loop.pools, seed=loop.seed, minimise=loop, gold=gold)
    seed_all(loop.seed)
    left = method.unlearn(job)
    if not isinstance(left, Unlearned):
        raise RunFailed(f"unlearn() returned {type(left).__name__}, not Unlearned")
    return left


@dataclass(frozen=True, kw_only=True)
class Before:
    """Model and process before a method is let at them."""

    fingerprints: Mapping[Role, int]
    n_hooks: int
    surroundings: Surroundings

    @classmethod
    def of(cls, model: VisionLanguageModel) -> Before:
        """As they are now."""
        return cls(
            fingerprints=model.fingerprints(),
            n_hooks=model.n_hooks,
            surroundings=Surroundings.now(),
        )

    def left_behind(self, model: VisionLanguageModel) -> list[str]:
        """What was put on the model or switched in the process, and is still there."""
        n_hooks = model.n_hooks - self.n_hooks
        hooks = [f"{n_hooks} hooks on the model"] if n_hooks else []
        return hooks + self.surroundings.changes()

    def check(self, method: Method[Any], model: VisionLanguageModel) -> None:
        """Raise `RunFailed` for what may not be left behind and for roles that may not change."""
        left = self.left_behind(model)
        if left:
            raise RunFailed(
                f"left behind by the method: {'; '.join(left)}; put it back as it was, "
                "and let model.trace() read the model's insides"
            )
        check_roles(self.fingerprints, model.fingerprints(), declared=declared_roles(method))

    def sees_as_before(self, model: VisionLanguageModel) -> bool:
        """Do images still give the same features?"""
        after = model.fingerprints()
        return all(self.fingerprints[role] == after[role] for role in SEEING)


def declared_roles(method: Method[Any]) -> dict[str, str]:
    """The roles that a method says it trains, and how."""
    config = method.config
    return (
        {str(role): how for role, how in config.trains.items()}
        if isinstance(config, TrainingConfig)
        else {}
    )


def check_roles(
    before: Mapping[Role, int], after: Mapping[Role, int], *, declared: Mapping[str, str]
) -> None:
    """Raise `RunFailed` if base weights of a role changed that is not trained in full."""
    changed = [role for role in before if before[role] != after[role]]
    wrong = [role for role in changed if declared.get(role) != "full"]
    if wrong:
        stated = ", ".join(f"{role}: {how}" for role, how in declared.items()) or "nothing"
        raise RunFailed(
            f"base weights of {', '.join(wrong)} changed, but the method declares {stated}"
        )
