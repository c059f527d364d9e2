"""The pools that a run trains on."""

from __future__ import annotations

from benchmark.data.pools import Pool, Pools
from benchmark.stages.lacking import trained_on
from benchmark.stages.resolve import Run


def load_pools(run: Run, pools: Pools | None = None) -> dict[str, Pool]:
    """Those that the method declared, in the modality it wants of each; `pools` are there."""
    method, known = run.method, pools or Pools()
    name = trained_on(run.suite, run.request.part)
    return {
        role: known.load(run.suite, role, method.modality_of(role), images=run.images, name=name)
        for role in method.pools
    }
