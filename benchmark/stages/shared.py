"""What the runs of one command share: what was read and seen, asked, and said by the base model.

Sharing changes no figure and no cost: every stage is charged for what it borrows.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmark.core.samples import Sample
from benchmark.cost.budget import Budget, unlimited
from benchmark.data.pools import Pools
from benchmark.stages.known import Known
from benchmark.stages.resolve import Run, RunRequest
from benchmark.stages.samples import evaluation_samples
from benchmark.training.processes import ALONE, Processes
from benchmark.vlm.perception import Perceptions


class Shared:
    """Filled by the first run that needs a thing; workers are forked with what is there by then."""

    def __init__(self, budget: Budget | None = None, *, processes: Processes = ALONE) -> None:
        self.budget = budget or unlimited()
        self.processes = processes
        self.perceptions = Perceptions()
        self.pools = Pools()
        self._samples: dict[tuple[object, ...], list[Sample]] = {}
        self._bases: dict[tuple[object, ...], Known] = {}

    def samples(self, run: Run) -> list[Sample]:
        """The samples of the run's evaluation; nobody may change the list."""
        name = (run.suite.sha256, run.request.part, run.spec.limit, run.images.folder)
        if name not in self._samples:
            self._samples[name] = evaluation_samples(
                run.evaluation, images=run.images, limit=run.spec.limit
            )
        return self._samples[name]

    def base(self, request: RunRequest, make: Callable[[], Known]) -> Known:
        """The untouched model's run on the request's suite and model, made if it is not there."""
        name = (
            request.model,
            request.suite,
            request.part,
            request.limit,
            request.preset,
            request.device,
            request.endpoint,
            request.engine,
            request.results,
        )
        if name not in self._bases:
            self._bases[name] = make()
        return self._bases[name]
