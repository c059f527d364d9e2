"""The pools that a run trains on."""

from __future__ import annotations

from benchmark.core.errors import NothingRun
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
