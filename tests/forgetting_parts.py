"""Rows about persons made by hand, for the tests of what is forgotten."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from benchmark.core.forgetting import (
    AnswerLikelihood,
    Asked,
    Group,
    LikelihoodRow,
    MatchRow,
    NoLikelihood,
    NoMatch,
    PersonQuestion,
)


def question(
    person: str,
    fact: str = "job",
    *,
    wording: int = 0,
    group: Group = "forget",
    modality: Asked = "text",
) -> PersonQuestion:
    return PersonQuestion(
        sample_id=f"persons/{group}/{person}+{fact}.{modality}.{wording}", person=person, fact=fact,
        wording=wording, card="persons", split=group, group=group, modality=modality,
    )  # fmt: skip


def spoken(probability: float, n_tokens: int = 1) -> AnswerLikelihood:
    """An answer of so many tokens, each of this probability."""
    return AnswerLikelihood(nats=n_tokens * math.log(probability), n_tokens=n_tokens)


def likely(
    about: PersonQuestion,
    *,
    right: Sequence[float] = (0.5,),
    paraphrases: Sequence[AnswerLikelihood] = (),
    wrong: Sequence[AnswerLikelihood] = (),
    unscored: NoLikelihood | None = None,
) -> LikelihoodRow:
    """A likelihood row; `right` are the probabilities of the right answer's tokens."""
    return LikelihoodRow(
        **about.model_dump(),
        right=() if unscored else tuple(math.log(p) for p in right),
        paraphrases=tuple(paraphrases),
        wrong=tuple(wrong),
        unscored=unscored,
    )


def with_ratio(about: PersonQuestion, ratio: float) -> LikelihoodRow:
    """A row whose truth ratio is this; the right answer is as likely as its paraphrase."""
    scale = max(ratio, 1.0)
    return likely(
        about, right=(1 / scale,), paraphrases=[spoken(1 / scale)], wrong=[spoken(ratio / scale)]
    )


def with_ratios(ratios: Mapping[str, Sequence[float | None]], **about) -> list[LikelihoodRow]:
    """One row per person and ratio, each about a fact of its own; None is an unscored one."""
    return [
        likely(question(person, f"fact{n}", **about), unscored="image_missing")
        if ratio is None
        else with_ratio(question(person, f"fact{n}", **about), ratio)
        for person, own in ratios.items()
        for n, ratio in enumerate(own)
    ]


def matching(
    about: PersonQuestion, exact: float | None, *, unscored: NoMatch | None = None
) -> MatchRow:
    """A row of an answer that is right, wrong or (None) unscored; ROUGE-L is the same."""
    if exact is None:
        return MatchRow(**about.model_dump(), unscored=unscored or "empty_answer")
    return MatchRow(**about.model_dump(), exact=exact, rouge_l=exact, rouge_l_recall=exact)


def with_matches(matches: Mapping[str, Sequence[float | None]], **about) -> list[MatchRow]:
    """One row per person and answer, each about a fact of its own."""
    return [
        matching(question(person, f"fact{n}", **about), exact)
        for person, own in matches.items()
        for n, exact in enumerate(own)
    ]
