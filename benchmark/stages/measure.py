"""What a run's model knows of persons: how likely given answers are, and how its own match."""

from __future__ import annotations

from benchmark.progress import Reporter
from benchmark.stages.known import Known
from benchmark.stages.likelihood import likelihoods
from benchmark.stages.plans import plan_of
from benchmark.stages.shared import Shared
from benchmark.stages.untouched import loaded_of


def measure(known: Known, reporter: Reporter, shared: Shared) -> None:
    """Nothing where the suite asks about no persons; its answers must have been judged."""
    run, loaded = known.run, loaded_of(known)
    assert run is not None and known.artifact is not None
    plan = plan_of(run.suite)
    if not plan.persons:
        return
    known.enter("likelihood")
    with reporter.timeline.doing("likelihood"):
        known.measured = likelihoods(
            run, known.artifact, known.samples, plan=plan, loaded=loaded, reporter=reporter,
            begun=known.begun.append, budget=shared.budget,
        )  # fmt: skip
        known.recall(plan=plan)
    loaded.drop()
