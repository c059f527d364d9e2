"""How a whole answer matches the right ones: exactly, and by ROUGE-L."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from benchmark.core.forgetting import Match
from benchmark.core.samples import Sample
from benchmark.core.verdicts import Response


def match_of(sample: Sample, response: Response, *, incoherent: bool = False) -> Match:
    """A whole answer against the sample's references and their paraphrases, the best of them. One
    that was not given, says nothing, or was judged `incoherent` is unscored with its reason: it
    does not show that anything was forgotten."""
    right = (*sample.answers.references, *sample.answers.paraphrases)
    if response.text is None:
        return Match(sample_id=sample.id, unscored=response.error)
    if not right:
        return Match(sample_id=sample.id, unscored="no_right_answer")
    if not any(character.isalnum() for character in response.text):
        return Match(sample_id=sample.id, unscored="empty_answer")
    if incoherent:
        return Match(sample_id=sample.id, unscored="incoherent")
    rouge_l, recall = rouge(response.text, right)
    return Match(
        sample_id=sample.id,
        exact=exact(response.text, right),
        rouge_l=rouge_l,
        rouge_l_recall=recall,
    )


def exact(answer: str, references: Sequence[str]) -> float:
    """1 where an answer equals a reference once case, spacing and a final stop are set aside, as
    the judge of references has it."""
    return float(any(_plain(answer) == _plain(reference) for reference in references))


def rouge(answer: str, references: Sequence[str]) -> tuple[float, float]:
    """ROUGE-L (Lin 2004) as F measure and as recall, each against its best reference, words
    stemmed, by the rouge-score package. TOFU (arXiv:2401.06121) reports recall, which a longer
    answer never lowers."""
    scorer = _rouge()
    found = [scorer.score(reference, answer)["rougeL"] for reference in references]
    return (
        max((float(one.fmeasure) for one in found), default=0.0),
        max((float(one.recall) for one in found), default=0.0),
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).removesuffix(".").rstrip()


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)
