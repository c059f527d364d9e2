"""What a run found to be known of persons, as rows without a word of what was said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmark.core.forgetting import (
    Likelihood,
    LikelihoodRow,
    MatchRow,
    PersonQuestion,
    likelihood_row,
    match_row,
)
from benchmark.core.plan import Plan
from benchmark.core.records import Response, VerdictRow
from benchmark.core.samples import Sample
from benchmark.scoring.forgetting.answers import match_of
from benchmark.stages.samples import about_of, split_of


def likelihood_rows(
    samples: Iterable[Sample], found: Mapping[str, Likelihood], *, plan: Plan
) -> list[LikelihoodRow]:
    """Of all samples that were measured, in their order."""
    return [
        likelihood_row(question_of(sample, plan), found[sample.id])
        for sample in samples
        if sample.id in found
    ]


def match_rows(
    samples: Iterable[Sample],
    answers: Mapping[str, Response],
    verdicts: Sequence[VerdictRow],
    *,
    plan: Plan,
) -> list[MatchRow]:
    """Of all answers about persons, in the samples' order. One that the judge of recall found
    garbled matches nothing, not even wrongly."""
    judge = plan.judge_of("recall")
    garbled = {
        row.sample_id for row in verdicts if row.judge == judge and row.label == "incoherent"
    }
    return [
        match_row(
            question_of(sample, plan),
            match_of(sample, answers[sample.id], incoherent=sample.id in garbled),
        )
        for sample in samples
        if sample.purpose == "recall"
    ]


def question_of(sample: Sample, plan: Plan) -> PersonQuestion:
    """Whom a sample of the suite is about. A card that names no facts asks for one each."""
    about = about_of(sample, plan)
    assert about is not None, "a question about a person"
    return PersonQuestion(
        sample_id=sample.id,
        person=sample.behaviour,
        fact=sample.category or sample.id.split("/", 2)[2],
        wording=about.wording,
        card=sample.card,
        split=split_of(sample),
        group=about.group,
        modality=about.modality,
    )
