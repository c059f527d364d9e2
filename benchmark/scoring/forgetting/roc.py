"""How well a score tells two sets of persons apart: the area under the ROC curve, and the share
that is caught at few false alarms.

Shapes: M scores of positives, N of negatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.scoring.intervals import Interval, Z, wilson

FALSE_POSITIVES = 0.01
N_BOOTSTRAP = 2_000
SEED = 20_240_601

Scores = Mapping[str, Sequence[float | None]]
"""By person; higher for positives. None for one that was not scored."""
Person = tuple[str, str]
Statistic = Callable[[np.ndarray, np.ndarray], float]
"""Of the scores [M] of positives and [N] of negatives."""


@dataclass(frozen=True, kw_only=True)
class Separation:
    """An area under the curve, or a rate of positives caught, with its 95 % interval over persons.

    All None where either side has no score. The bounds are what it would be were unscored ones as
    bad as can be, or as good; None where all were scored. `n_positive` and `n_negative` are
    persons, `n_unscored` scores.
    """

    value: float | None
    low: float | None
    high: float | None
    bound_low: float | None
    bound_high: float | None
    n_positive: int
    n_negative: int
    n_unscored: int


def area(positive: Scores, negative: Scores) -> Separation:
    """P(positive's score > negative's) + P(equal) / 2.

    The interval is DeLong's (1988, doi:10.2307/2531595) for scores that come in clusters
    (Obuchowski 1997, doi:10.2307/2533958): persons are drawn, and one may have scores on either
    side, or many.
    It needs no random numbers, unlike a bootstrap, and asks for no order among a person's scores.
    Differs from them: before the variance is taken, half a person that scores above all others and
    half a one that scores below are added to each side, much as `paired_interval` adds two, since
    a perfect separation of few persons would otherwise have no width. So it covers the truth in
    94 to 99 % of draws from two normal distributions, of 5 against 5 persons up to 40 against 40
    (600 draws each; DeLong's own has no width in many of those of 5).
    """
    return _separation(positive, negative, statistic=auc, interval=_clustered_delong)


def caught(
    positive: Scores, negative: Scores, *, false_positives: float = FALSE_POSITIVES
) -> Separation:
    """The share of positive scores above the lowest bar that at most a share of negative ones lies
    above.

    The interval is a bootstrap over persons of both sides, as the bar is itself found on the
    negatives, which no formula for a share knows; it is widened to Wilson's on the positive persons
    alone, since a bootstrap has no width where all or none are caught. With fewer negatives than
    1 / `false_positives` none of them may lie above the bar.
    """

    def rate(positive_M: np.ndarray, negative_N: np.ndarray) -> float:
        return caught_at(positive_M, negative_N, false_positives=false_positives)

    def interval(positive: Scores, negative: Scores, value: float) -> Interval:
        return _widened_bootstrap(positive, negative, value, false_positives)

    return _separation(positive, negative, statistic=rate, interval=interval)


def auc(positive_M: np.ndarray, negative_N: np.ndarray) -> float:
    """The area under the curve; neither side is empty."""
    return float(_wins_MN(positive_M, negative_N).mean())


def caught_at(
    positive_M: np.ndarray, negative_N: np.ndarray, *, false_positives: float = FALSE_POSITIVES
) -> float:
    """The share of positives above the bar, as scikit-learn's curve has it at that rate or less."""
    return float(_caught_F(positive_M[None], negative_N[None], false_positives)[0])


def _caught_F(
    positive_FM: np.ndarray, negative_FN: np.ndarray, false_positives: float
) -> np.ndarray:
    """`[F]`: the same of many draws at once."""
    # Rounded first: 0.01 x 300 is a little below 3 in binary.
    n = negative_FN.shape[1]
    n_allowed = math.floor(round(false_positives * n, 9))
    if n_allowed >= n:
        return np.ones(len(positive_FM))
    bar_F1 = np.sort(negative_FN, axis=1)[:, n - 1 - n_allowed][:, None]
    above_F: np.ndarray = (positive_FM > bar_F1).mean(axis=1)
    return above_F


def _separation(
    positive: Scores,
    negative: Scores,
    *,
    statistic: Statistic,
    interval: Callable[[Scores, Scores, float], Interval],
) -> Separation:
    """Of what was scored, and, where something was not, of what it could have been."""
    first, second = _scored(positive), _scored(negative)
    n_unscored = sum(score is None for side in (positive, negative) for score in _entries(side))
    value = low = high = bound_low = bound_high = None
    if first and second:
        value = statistic(_flat(first), _flat(second))
        low, high = interval(first, second, value)
    if n_unscored and positive and negative:
        bound_low = statistic(_filled(positive, -math.inf), _filled(negative, math.inf))
        bound_high = statistic(_filled(positive, math.inf), _filled(negative, -math.inf))
    return Separation(
        value=value, low=low, high=high, bound_low=bound_low, bound_high=bound_high,
        n_positive=len(first), n_negative=len(second), n_unscored=n_unscored,
    )  # fmt: skip


def _clustered_delong(positive: Scores, negative: Scores, value: float) -> Interval:
    scores_M, weights_M, mine = _with_ends(positive, "positive")
    scores_N, weights_N, theirs = _with_ends(negative, "negative")
    wins_MN, m, n = _wins_MN(scores_M, scores_N), weights_M.sum(), weights_N.sum()
    padded = float(weights_M @ wins_MN @ weights_N / (m * n))
    over = _sums(mine, weights_M * (wins_MN @ weights_N / n - padded) / m)
    under = _sums(theirs, weights_N * (weights_M @ wins_MN / m - padded) / n)
    # Sorted, since sets of names have no order and sums of numbers do.
    shared = sorted(over[person] * under[person] for person in over.keys() & under.keys())
    spread = (
        _unbiased(len(over)) * sum(value * value for value in over.values())
        + _unbiased(len(under)) * sum(value * value for value in under.values())
        + _unbiased(len(over.keys() | under.keys())) * 2 * sum(shared)
    )
    half = Z * math.sqrt(max(spread, 0.0))
    return max(min(padded - half, value), 0.0), min(max(padded + half, value), 1.0)


def _with_ends(scores: Scores, side: str) -> tuple[np.ndarray, np.ndarray, list[Person]]:
    """Scores, weights and whose they are, with half a person above all others and half below: not
    the same ones on both sides."""
    persons: list[Person] = [("person", name) for name, own in scores.items() for _ in own]
    scored = _flat(scores)
    weights = np.concatenate([np.ones(len(scored)), [0.5, 0.5]])
    ends: list[Person] = [(side, "above all"), (side, "below all")]
    return np.concatenate([scored, [math.inf, -math.inf]]), weights, [*persons, *ends]


def _sums(persons: Sequence[Person], values_M: np.ndarray) -> dict[Person, float]:
    """By person, the sum of its values."""
    found = dict.fromkeys(persons, 0.0)
    for person, value in zip(persons, values_M.tolist(), strict=True):
        found[person] += value
    return found


def _unbiased(n: int) -> float:
    """By what the variance over n persons is multiplied; there are two ends at least."""
    return n / (n - 1)


def _widened_bootstrap(
    positive: Scores, negative: Scores, value: float, false_positives: float
) -> Interval:
    draws = np.random.default_rng(SEED)
    own, theirs = (
        [np.array(s, dtype=float) for s in side.values()] for side in (positive, negative)
    )
    if all(len(scores) == 1 for scores in (*own, *theirs)):
        # One score each: all draws are of one size, and are taken together.
        drawn = _drawn_at_once(own, draws), _drawn_at_once(theirs, draws)
        found = _caught_F(*drawn, false_positives)
    else:
        pairs = ((_drawn(own, draws), _drawn(theirs, draws)) for _ in range(N_BOOTSTRAP))
        found = np.array([caught_at(*pair, false_positives=false_positives) for pair in pairs])
    low, high = np.quantile(found, [0.025, 0.975])
    wilson_low, wilson_high = wilson(value, len(own))
    return min(float(low), wilson_low), max(float(high), wilson_high)


def _drawn_at_once(persons: Sequence[np.ndarray], draws: np.random.Generator) -> np.ndarray:
    """`[F, P]`: the scores of as many persons, drawn with replacement, for every sample."""
    n = len(persons)
    return np.concatenate(persons)[draws.integers(n, size=(N_BOOTSTRAP, n))]


def _drawn(persons: Sequence[np.ndarray], draws: np.random.Generator) -> np.ndarray:
    """The scores of as many persons, drawn with replacement."""
    return np.concatenate([persons[at] for at in draws.integers(len(persons), size=len(persons))])


def _wins_MN(positive_M: np.ndarray, negative_N: np.ndarray) -> np.ndarray:
    """1 where the positive scores higher, one half where both score the same."""
    # Ranks, since infinity less infinity is no number.
    _, ranks = np.unique(np.concatenate([positive_M, negative_N]), return_inverse=True)
    m = len(positive_M)
    return np.heaviside((ranks[:m, None] - ranks[None, m:]).astype(float), 0.5)


def _scored(scores: Scores) -> dict[str, list[float]]:
    found = {name: [s for s in own if s is not None] for name, own in scores.items()}
    return {name: own for name, own in found.items() if own}


def _entries(scores: Scores) -> list[float | None]:
    return [score for own in scores.values() for score in own]


def _flat(scores: Scores) -> np.ndarray:
    return np.array([score for own in scores.values() for score in own], dtype=float)


def _filled(scores: Scores, stand_in: float) -> np.ndarray:
    return np.array([stand_in if score is None else score for score in _entries(scores)])
