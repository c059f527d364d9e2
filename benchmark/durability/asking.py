"""What a treated model is asked, a small part of the suite's evaluation, and by which judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from benchmark.core.durability_records import Measure
from benchmark.core.plan import AboutPersons
from benchmark.core.records import VerdictRow
from benchmark.core.samples import Sample, Scope
from benchmark.progress import Reporter
from benchmark.scoring.treated import DRAW, is_meant
from benchmark.stages.answer import Answered
from benchmark.stages.forms import attacks_of
from benchmark.stages.judge import Bench, JudgedBy, suite_judges, verdicts_of
from benchmark.stages.plans import plan_of
from benchmark.stages.resolve import Run
from benchmark.stages.samples import evaluation_samples
from benchmark.suites.sets import Evaluation, EvaluationSet, PersonSet
from benchmark.treating import Asked, State

SetT = TypeVar("SetT", bound=EvaluationSet)

FORMS = ("direct", "typographic", "icon")
"""Asked in, as far as the suite has them: the words, their picture, and a picture of the thing."""
BY = ("text", "image")
"""By what persons are asked about; asked by both, the easier one answers."""
UTILITY_OF_EACH = 12
RETAINED_OF_EACH = 84
"""Questions of a split about persons to be kept: of fourteen of them every fact."""
SCOPES: dict[Asked, Scope] = {"held_out": "held_out", "to_forget": "in_scope"}
PURPOSES = ("attack", "twin", "utility", "recall")


class Questions:
    """What one run's treated models are asked: read once, whatever is done to them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._plan = plan_of(run.suite)
        self._samples: dict[Asked, list[Sample]] = {}
        self.measure: Measure = "recall" if self.persons else "asr"
        self.forms = _forms(run.evaluation)

    @property
    def persons(self) -> Mapping[str, AboutPersons]:
        """The splits, `card/split`, that ask about persons; none where the suite attacks."""
        return self._plan.persons

    @property
    def judges(self) -> tuple[str, ...]:
        """Those that rank."""
        return self._plan.judges_that_rank

    def samples(self, asks: Asked) -> list[Sample]:
        """Attacks on the behaviours meant and twins in the same forms, or questions about persons
        to be forgotten and to be kept; and a little utility."""
        if asks not in self._samples:
            self._samples[asks] = self._read(asks)
        return self._samples[asks]

    def to_forget(self) -> tuple[str, ...]:
        """The behaviours, or persons, of the training pool that are asked about."""
        meant = [one for one in self.samples("to_forget") if is_meant(one.purpose, one.scope)]
        return tuple(dict.fromkeys(sample.behaviour for sample in meant))

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
        meant = [part for part in evaluation.attacked if part.scope == SCOPES[asks]]
        asked = evaluation.model_copy(
            update={
                "attacks": () if self.persons else self.forms, "attacked": tuple(meant),
                "over_refusal": (),
                "utility": tuple(_few(part, UTILITY_OF_EACH) for part in evaluation.utility),
                "persons": tuple(_of_persons(evaluation.persons)),
            }
        )  # fmt: skip
        found = evaluation_samples(asked, images=self._run.images, limit=self._run.spec.limit)
        return [sample for sample in found if sample.purpose in PURPOSES]


def drawn_for(state: State, samples: Sequence[Sample]) -> list[Sample]:
    """As often as each is answered: what may come back once for every draw,
    under ids of its own."""
    if state.n_draws == 1:
        return list(samples)
    drawn: list[Sample] = []
    for sample in samples:
        if is_meant(sample.purpose, sample.scope):
            drawn += [replace(sample, id=f"{sample.id}{DRAW}{n}") for n in range(state.n_draws)]
        else:
            drawn.append(sample)
    return drawn


def _forms(evaluation: Evaluation) -> tuple[str, ...]:
    """Those of `FORMS` that the suite asks in, of a suite that has none its first three; by what
    persons are asked about, where it is about persons."""
    if evaluation.persons:
        there = {part.modality for part in evaluation.persons}
        return tuple(form for form in BY if form in there)
    attacks = tuple(attacks_of(evaluation))
    return tuple(form for form in FORMS if form in attacks) or attacks[: len(FORMS)]


def _of_persons(parts: Sequence[PersonSet]) -> list[PersonSet]:
    """Of every card in the last of its wordings, which no method trained on where there is another:
    all persons to be forgotten, and some of those to be kept."""
    asked = [part for part in parts if part.group != "never_trained" and part.modality in BY]
    last: dict[tuple[str, str], int] = {}
    for part in asked:
        place = part.card, part.group
        last[place] = max(last.get(place, 0), part.wording)
    return [
        _few(part, RETAINED_OF_EACH) if part.group == "retain" else part
        for part in asked
        if part.wording == last[part.card, part.group]
    ]


def _few(part: SetT, limit: int) -> SetT:
    return part.model_copy(update={"limit": min(part.limit or limit, limit)})
