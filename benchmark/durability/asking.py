"""What a treated model is asked, a small part of the suite's evaluation, and by which judges."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

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

FORMS = ("direct", "typographic", "icon")
"""Asked in, as far as the suite has them: the words, their picture, and a picture of the thing."""
BY = ("text", "image")
"""By what persons are asked about; asked by both, the easier one answers."""
UTILITY_OF_EACH = 12
N_RETAINED = 14
"""Persons to be kept who are asked about, every one of them alike."""
SCOPES: dict[Asked, Scope] = {"held_out": "held_out", "to_forget": "in_scope"}
PURPOSES = ("attack", "twin", "utility", "recall")


class Questions:
    """What one run's treated models are asked: read once, whatever is done to them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._plan = plan_of(run.suite)
        self._samples: dict[Asked, list[Sample]] = {}
        self.measure: Measure = "recall" if self.persons else "asr"
        self.forms = forms_of(run.evaluation)

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
                "attacks": () if self.persons else self.forms,
                "attacked": () if self.persons else tuple(meant),
                "twins": () if self.persons else evaluation.twins,
                "over_refusal": (),
                "utility": tuple(map(_few, evaluation.utility)),
                "persons": tuple(of_persons(evaluation.persons, self.forms)),
            }
        )  # fmt: skip
        found = evaluation_samples(asked, images=self._run.images, limit=self._run.spec.limit)
        return _few_retained([sample for sample in found if sample.purpose in PURPOSES])


def drawn_for(state: State, samples: Sequence[Sample]) -> list[Sample]:
    """As often as each is answered: what may come back once a draw, under ids of its own."""
    if state.n_draws == 1:
        return list(samples)
    drawn: list[Sample] = []
    for sample in samples:
        if is_meant(sample.purpose, sample.scope):
            drawn += [replace(sample, id=f"{sample.id}{DRAW}{n}") for n in range(state.n_draws)]
        else:
            drawn.append(sample)
    return drawn


def forms_of(evaluation: Evaluation) -> tuple[str, ...]:
    """Those of `FORMS` that the suite asks in, of a suite that has none its first three; by what
    persons to be forgotten are asked about, where it is about persons. Empty for a suite of
    neither."""
    if evaluation.persons:
        there = {part.modality: None for part in evaluation.persons if part.group == "forget"}
        return tuple(form for form in BY if form in there) or tuple(there)
    attacks = tuple(attacks_of(evaluation))
    return tuple(form for form in FORMS if form in attacks) or attacks[: len(FORMS)]


def of_persons(parts: Sequence[PersonSet], forms: Collection[str]) -> list[PersonSet]:
    """Of every card in the last of its wordings, which no method trained on where there is another:
    about persons to be forgotten and to be kept, by these."""
    asked = [part for part in parts if part.group != "never_trained" and part.modality in forms]
    last: dict[tuple[str, str], int] = {}
    for part in asked:
        place = part.card, part.group
        last[place] = max(last.get(place, 0), part.wording)
    return [part for part in asked if part.wording == last[part.card, part.group]]


def _few_retained(samples: Sequence[Sample]) -> list[Sample]:
    """Of the persons to be kept the first ones, and all that is asked about these."""
    retained = [one for one in samples if one.purpose == "recall" and one.scope is None]
    asked = set(list(dict.fromkeys(sample.behaviour for sample in retained))[:N_RETAINED])
    left_out = {one.id for one in retained if one.behaviour not in asked}
    return [sample for sample in samples if sample.id not in left_out]


def _few(part: EvaluationSet) -> EvaluationSet:
    limit = min(part.limit or UTILITY_OF_EACH, UTILITY_OF_EACH)
    return part.model_copy(update={"limit": limit})
