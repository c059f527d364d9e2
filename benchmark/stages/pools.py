"""The pools that a run trains on."""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.core.errors import NothingRun, UserError
from benchmark.core.method_config import WHOLE, TrainingConfig
from benchmark.data.coverage import part_of
from benchmark.data.pools import Pool, Pools
from benchmark.stages.lacking import trained_on
from benchmark.stages.resolve import Run


def load_pools(run: Run, pools: Pools | None = None) -> dict[str, Pool]:
    """Those that the method declared, in the modality it wants of each; `pools` are there. Of the
    forget pool the part that its settings say. Raises `NothingRun` for a part that is not there."""
    method, known = run.method, pools or Pools()
    name = trained_on(run.suite, run.request.part)
    found: dict[str, Pool] = {
        role: known.load(run.suite, role, method.modality_of(role), images=run.images, name=name)
        for role in method.pools
    }
    if run.suite.evaluation.persons:
        _check_apart(found)
    config = method.config
    if not isinstance(config, TrainingConfig) or config.forget == WHOLE:
        return found
    if "forget" not in found:
        raise NothingRun(
            f"method '{run.entry.name}' learns from no forget pool, of which the setting 'forget' "
            "would choose a part"
        )
    part = part_of(found["forget"], config.forget, seed=run.effective_seed, suite=run.suite.name)
    return {**found, "forget": part}


def _check_apart(pools: Mapping[str, Pool]) -> None:
    """Raise `UserError` for a person whom a method would learn to forget and to keep. Harmless work
    may bear the names of what was attacked; persons may not be on both sides."""
    forgotten, kept = (
        {sample.behaviour for sample in pools[role].samples} if role in pools else set()
        for role in ("forget", "keep")
    )
    if forgotten & kept:
        raise UserError(
            f"'{min(forgotten & kept)}' is in the pool of whom to forget and in that of whom to "
            f"keep, and {len(forgotten & kept) - 1} others; a person is in one of them"
        )
