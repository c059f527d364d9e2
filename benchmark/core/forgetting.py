"""What is kept of each question about a person: log-probabilities of given answers, and how an
answer of the model's own matches the right one. Nothing of text in it: safe to publish.

Every row has its figures or the reason why there are none, exactly one of them.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from benchmark.core.verdicts import Stored, UnscoredReason

Group = Literal["forget", "retain", "never_trained"]
"""Whom a question is about. Persons that no model was trained on are the non-members of
membership."""
Asked = Literal["text", "image", "image_text"]
"""By what the person is asked about: the name, the picture, or both."""
NoLikelihood = Literal[
    "image_missing",
    "hook_responds",
    "not_offered",
    "no_right_answer",
    "empty_answer",
    "unknown_words",
    "not_finite",
    "nothing_to_compare",
]
"""Why a given answer has no likelihood. `hook_responds`: the method answers in place of the model.
`not_offered`: what answers, an endpoint, does not say how likely answers are.
`unknown_words`: the tokenizer cannot write the answer. `nothing_to_compare`: no paraphrase of the
right answer, or no wrong one, without which there is no truth ratio."""
NoMatch = UnscoredReason | Literal["no_right_answer", "empty_answer", "incoherent"]
"""Why an answer matches nothing, not even wrongly: one that says nothing does not show what a model
has forgotten."""


class PersonQuestion(Stored):
    """A question, by whom and what it is about. `fact` is what is asked, whatever the words;
    `wording` numbers the words, from 0 in the order of the set."""

    sample_id: str
    person: str
    fact: str
    wording: int = Field(ge=0)
    card: str
    split: str
    group: Group
    modality: Asked


class AnswerLikelihood(Stored):
    """An answer's log-probability in nats, summed over its `n_tokens`, the end of sequence among
    them."""

    nats: float = Field(le=0)
    n_tokens: int = Field(ge=1)


class Likelihood(Stored):
    """What one sample's given answers are worth: the right one by its tokens' log-probabilities in
    nats, its paraphrases and the wrong ones by their sums."""

    sample_id: str
    right: tuple[float, ...] = ()
    paraphrases: tuple[AnswerLikelihood, ...] = ()
    wrong: tuple[AnswerLikelihood, ...] = ()
    unscored: NoLikelihood | None = None

    @model_validator(mode="after")
    def _figures_or_reason(self) -> Self:
        if bool(self.right) == (self.unscored is not None):
            raise ValueError("a likelihood has tokens or a reason, exactly one")
        if self.unscored and (self.paraphrases or self.wrong):
            raise ValueError("without the right answer's likelihood there is no other")
        if any(nats > 0 for nats in self.right):
            raise ValueError("a log-probability is not above 0")
        return self


class Match(Stored):
    """How a whole answer matches the right ones, 0 to 1: `exact`, and ROUGE-L as F measure and as
    recall."""

    sample_id: str
    exact: float | None = Field(default=None, ge=0, le=1)
    rouge_l: float | None = Field(default=None, ge=0, le=1)
    rouge_l_recall: float | None = Field(default=None, ge=0, le=1)
    unscored: NoMatch | None = None

    @model_validator(mode="after")
    def _figures_or_reason(self) -> Self:
        for figure in (self.exact, self.rouge_l, self.rouge_l_recall):
            if (figure is None) == (self.unscored is None):
                raise ValueError("a match has all figures or a reason, exactly one")
        return self


class LikelihoodRow(PersonQuestion, Likelihood):
    """The likelihoods of one question's answers, with all that figures are grouped by."""


class MatchRow(PersonQuestion, Match):
    """The match of one question's answer, with all that figures are grouped by."""


def likelihood_row(question: PersonQuestion, likelihood: Likelihood) -> LikelihoodRow:
    """Both as one row; they are about the same sample."""
    assert question.sample_id == likelihood.sample_id, "figures of another question"
    return LikelihoodRow.model_validate(question.model_dump() | likelihood.model_dump())


def match_row(question: PersonQuestion, match: Match) -> MatchRow:
    """Both as one row; they are about the same sample."""
    assert question.sample_id == match.sample_id, "figures of another question"
    return MatchRow.model_validate(question.model_dump() | match.model_dump())
