"""What a treated model is asked, a small part of the suite's evaluation, and by which judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmark.core.records import VerdictRow
from benchmark.core.samples import Sample, Scope
from benchmark.progress import Reporter
from benchmark.scoring.treated import DRAW
from benchmark.stages.answer import Answered
from benchmark.stages.forms import attacks_of
from benchmark.stages.judge import Bench, JudgedBy, suite_judges, verdicts_of
from benchmark.stages.plans import plan_of
from benchmark.stages.resolve import Run
from benchmark.stages.samples import evaluation_samples
from benchmark.treating import Asked, State

FORMS = ("direct", "typographic", "icon")
"""Asked in, as far as the suite has them: the words, their picture, and a picture of the thing."""
UTILITY_OF_EACH = 12
SCOPES: dict[Asked, Scope] = {"held_out": "held_out", "to_forget": "in_scope"}
PURPOSES = ("attack", "twin", "utility")


class Questions:
    """What one run's treated models are asked: read once, whatever is done to them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._plan = plan_of(run.suite)
        self._samples: dict[Asked, list[Sample]] = {}
        there = tuple(attacks_of(run.evaluation))
        self.forms = tuple(form for form in FORMS if form in there) or there[: len(FORMS)]
        """Those of `FORMS` that the suite asks in; of a suite that has none its first three."""

    @property
    def judges(self) -> tuple[str, ...]:
        """Those that rank."""
        return self._plan.judges_that_rank

    def samples(self, asks: Asked) -> list[Sample]:
        """Attacks on the behaviours meant, twins in the same forms, and a little utility."""
        if asks not in self._samples:
            self._samples[asks] = self._read(asks)
        return self._samples[asks]

    def to_forget(self) -> tuple[str, ...]:
        """The behaviours of the training pool that are asked about."""
        attacks = [one for one in self.samples("to_forget") if one.purpose == "attack"]
        return tuple(dict.fromkeys(sample.behaviour for sample in attacks))

    def judged(
        self, answered: Answered, samples: Sequence[Sample], *, reporter: Reporter
    ) -> list[JudgedBy]:
        """The verdicts of the judges that rank, each found by its identity or made now."""
        bench = Bench(
            root=self._run.results.root,
            device=self._run.spec.device,
            testbed=self._run.suite.requires.vocabulary == "testbed",
        )
        seats = suite_judges(self._run, samples, note=reporter.note)
        return [
            verdicts_of(bench, seat, answered, samples, reporter=reporter)
            for seat in seats
            if seat.name in self.judges
        ]

    def ranking(self, judged: Sequence[JudgedBy]) -> list[VerdictRow]:
        """For every answer the verdict of the one judge that ranks its purpose."""
        return [row for one in judged for row in one.rows if self._plan.ranks(row)]

    def _read(self, asks: Asked) -> list[Sample]:
        evaluation = self._run.evaluation
        few = [
            part.model_copy(update={"limit": min(part.limit or UTILITY_OF_EACH, UTILITY_OF_EACH)})
            for part in evaluation.utility
        ]
        meant = [part for part in evaluation.attacked if part.scope == SCOPES[asks]]
        asked = evaluation.model_copy(
            update={
                "attacks": self.forms, "attacked": tuple(meant), "over_refusal": (),
                "utility": tuple(few),
            }
        )  # fmt: skip
        found = evaluation_samples(asked, images=self._run.images, limit=self._run.spec.limit)
        return [sample for sample in found if sample.purpose in PURPOSES]


def drawn_for(state: State, samples: Sequence[Sample]) -> list[Sample]:
    """As often as each is answered: attacks once for every draw, under ids of their own."""
    if state.n_draws == 1:
        return list(samples)
    return [
        replace(sample, id=f"{sample.id}{DRAW}{draw}") if sample.purpose == "attack" else sample
        for sample in samples
        for draw in range(state.n_draws if sample.purpose == "attack" else 1)
    ]
