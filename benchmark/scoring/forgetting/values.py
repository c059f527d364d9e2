"""What one question says about knowledge: truth ratio, probability, membership, by its row alone.

Values are None where a row has none. Logarithms are natural, in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from benchmark.core.forgetting import AnswerLikelihood, LikelihoodRow

Mean = Literal["arithmetic", "geometric"]
MIN_K = 0.2
"""The share of tokens that Min-K % takes: 20 %, as Shi et al. found best."""
_LARGEST = 700.0
"""The largest logarithm whose exponential is told: beyond it the number says nothing more."""


def log_truth_ratio(row: LikelihoodRow, *, mean: Mean = "arithmetic") -> float | None:
    """log R, R = mean p(wrong)^(1/n) / p(paraphrase of the right answer)^(1/n). None where a side
    has no answer.

    Maini et al. 2024, arXiv:2401.06121, eq. 1: below 0 the model prefers what is right. The paper
    takes the arithmetic mean over wrong answers, its code (`aggregate_eval_stat.py`) the mean of
    their losses, which is the geometric one: both are here. Differs from the paper: it has one
    paraphrase, and several are averaged as the wrong ones are; n counts the end of sequence.
    """
    if not row.paraphrases or not row.wrong:
        return None
    return _log_mean(row.wrong, mean) - _log_mean(row.paraphrases, mean)


def truth_ratio(row: LikelihoodRow, *, mean: Mean = "arithmetic") -> float | None:
    """R itself, above 0."""
    value = log_truth_ratio(row, mean=mean)
    return None if value is None else math.exp(max(-_LARGEST, min(value, _LARGEST)))


def truth_kept(row: LikelihoodRow, *, mean: Mean = "arithmetic") -> float | None:
    """max(0, 1 - R), 0 to 1: how TOFU reports what is to be retained. 0 is indifference."""
    value = log_truth_ratio(row, mean=mean)
    return None if value is None else -math.expm1(min(value, 0.0))


def truth_indifference(row: LikelihoodRow, *, mean: Mean = "arithmetic") -> float | None:
    """min(R, 1/R), 0 to 1: how TOFU's code reports what is to be forgotten. 1 is indifference;
    preferring what is wrong counts no better than preferring what is right."""
    value = log_truth_ratio(row, mean=mean)
    return None if value is None else math.exp(-abs(value))


def answer_logprob(row: LikelihoodRow) -> float | None:
    """The right answer's log-probability per token: minus the loss, by which Yeom et al. 2018
    (arXiv:1709.01604) tell members from others."""
    return math.fsum(row.right) / len(row.right) if row.right else None


def answer_probability(row: LikelihoodRow) -> float | None:
    """p(right answer)^(1/n), 0 to 1: TOFU's probability (arXiv:2401.06121, section 2.2.1)."""
    value = answer_logprob(row)
    return None if value is None else math.exp(value)


def min_k(row: LikelihoodRow, *, share: float = MIN_K) -> float | None:
    """The mean log-probability of the right answer's k least likely tokens, k = max(1, ceil(share x
    tokens)). Raises ValueError for a share outside (0, 1].

    Shi et al. 2023, arXiv:2310.16789, eq. 1. Differs from the paper: tokens are those of an answer
    given its question, with the end of sequence; k is rounded up, so that an answer of one token
    has one.
    """
    if not 0 < share <= 1:
        raise ValueError(f"Min-K % of a share of {share}: it lies above 0 and up to 1")
    if not row.right:
        return None
    # Rounded first: 0.2 x 15 is a little above 3 in binary.
    k = max(1, math.ceil(round(share * len(row.right), 9)))
    return math.fsum(sorted(row.right)[:k]) / k


def _log_mean(answers: Sequence[AnswerLikelihood], mean: Mean) -> float:
    """The log of the mean length-normalised probability."""
    logs = [answer.nats / answer.n_tokens for answer in answers]
    if mean == "geometric":
        return math.fsum(logs) / len(logs)
    # Not scipy's logsumexp, which takes far longer over the few answers of each of many questions.
    largest = max(logs)
    return largest + math.log(math.fsum(math.exp(log - largest) for log in logs) / len(logs))
