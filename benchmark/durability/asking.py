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
from benchmark.suites import Evaluation
from benchmark.treating import Asked, State

FORMS = ("direct", "typographic", "icon")
"""Asked in, as far as the suite has them: the words, their picture, and a picture of the thing."""
UTILITY_OF_EACH = 12
SCOPES: dict[Asked, Scope] = {"held_out": "held_out", "to_forget": "in_scope"}
PURPOSES = ("attack", "twin", "utility")


def forms_of(run: Run) -> tuple[str, ...]:
    """Those of `FORMS` that the suite asks in; of a suite that has none of them its first three."""
    there = tuple(attacks_of(run.evaluation))
    return tuple(form for form in FORMS if form in there) or there[: len(FORMS)]


def samples_of(run: Run, asks: Asked) -> list[Sample]:
    """Attacks on the behaviours meant, twins in the same forms, and a little utility."""
    evaluation = run.evaluation
    few = [
        part.model_copy(update={"limit": min(part.limit or UTILITY_OF_EACH, UTILITY_OF_EACH)})
        for part in evaluation.utility
    ]
    meant = [part for part in evaluation.attacked if part.scope == SCOPES[asks]]
    asked: Evaluation = evaluation.model_copy(
        update={
            "attacks": forms_of(run), "attacked": tuple(meant), "over_refusal": (),
            "utility": tuple(few),
        }
    )  # fmt: skip
    found = evaluation_samples(asked, images=run.images, limit=run.spec.limit)
    return [sample for sample in found if sample.purpose in PURPOSES]


def behaviours_to_forget(run: Run) -> tuple[str, ...]:
    """The behaviours of the training pool that are asked about."""
    attacks = [one for one in samples_of(run, "to_forget") if one.purpose == "attack"]
    return tuple(dict.fromkeys(sample.behaviour for sample in attacks))


def drawn_for(state: State, samples: Sequence[Sample]) -> list[Sample]:
    """As often as each is answered: attacks once for every draw, under ids of their own."""
    if state.n_draws == 1:
        return list(samples)
    return [
        replace(sample, id=f"{sample.id}{DRAW}{draw}") if sample.purpose == "attack" else sample
        for sample in samples
        for draw in range(state.n_draws if sample.purpose == "attack" else 1)
    ]


def judged_by(
    run: Run, answered: Answered, samples: Sequence[Sample], *, reporter: Reporter
) -> list[JudgedBy]:
    """The verdicts of the judges that rank, each found by its identity or made now."""
    ranking = plan_of(run.suite).judges_that_rank
    bench = Bench(
        root=run.results.root,
        device=run.spec.device,
        testbed=run.suite.requires.vocabulary == "testbed",
    )
    seats = [one for one in suite_judges(run, samples, note=reporter.note) if one.name in ranking]
    return [verdicts_of(bench, seat, answered, samples, reporter=reporter) for seat in seats]


def ranking_rows(run: Run, judged: Sequence[JudgedBy]) -> list[VerdictRow]:
    """For every answer the verdict of the one judge that ranks its purpose."""
    plan = plan_of(run.suite)
    return [row for one in judged for row in one.rows if plan.ranks(row)]
