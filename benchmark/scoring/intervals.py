"""95 % intervals for rates, means, paired differences and rates corrected for a judge's errors.

None of those of rates and differences has zero width on finite data: 0 of n is not certainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist, fmean

import numpy as np
from scipy.special import stdtrit

Z = NormalDist().inv_cdf(0.975)
"""Two-sided 95 % point of the normal distribution, 1.96."""

Interval = tuple[float, float]
Estimate = tuple[float, float, float]
"""A value with the two ends of its interval: value, low, high."""


def wilson(rate: float, n: float) -> Interval:
    """Wilson's score interval of a rate (0 to 1) seen on `n` > 0 independent answers.

    Wilson 1927, doi:10.1080/01621459.1927.10502953. `n` may be fractional: answers divided by the
    design effect.
    """
    if not (0 <= rate <= 1 and n > 0):
        raise ValueError(f"no interval for rate {rate} on n {n}")
    centre = (rate + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))
    # rounding can leave an end just inside the rate at 0 and 1
    return max(0.0, min(centre - half, rate)), min(1.0, max(centre + half, rate))


def effective_n(behaviour_rates: Sequence[float], n_answers: int) -> float:
    """Answers divided by the design effect of asking each behaviour several times.

    Variance of independent answers over the variance found between behaviours, kept between the
    number of behaviours (answers to one behaviour all alike) and `n_answers` (unrelated). Where
    every behaviour has the same rate nothing can be estimated and the smaller is taken.
    """
    n_behaviours = len(behaviour_rates)
    rate = fmean(behaviour_rates)
    between = float(np.var(behaviour_rates, ddof=1)) / n_behaviours if n_behaviours > 1 else 0.0
    if between < 1e-15:
        return float(n_behaviours)
    return min(max(rate * (1 - rate) / between, float(n_behaviours)), float(n_answers))


def t_interval(values: Sequence[float]) -> Estimate | None:
    """Mean of at least two values with Student's interval (n - 1 degrees); None for fewer."""
    if len(values) < 2:
        return None
    mean = fmean(values)
    half = (
        float(stdtrit(len(values) - 1, 0.975)) * float(np.std(values, ddof=1)) / sqrt(len(values))
    )
    return mean, mean - half, mean + half


def next_value_interval(values: Sequence[float]) -> Estimate | None:
    """Mean of at least two values, and where one more lies with 95 % confidence; None for fewer.

    Student's prediction interval, mean -+ t(n - 1) s sqrt(1 + 1 / n). Where all values agree it has
    no width: what is left is the error of each value itself, which is not in it.
    """
    if len(values) < 2:
        return None
    mean, n = fmean(values), len(values)
    spread = float(np.std(values, ddof=1)) * sqrt(1 + 1 / n)
    half = float(stdtrit(n - 1, 0.975)) * spread
    # A mean of equal numbers may round past them.
    return mean, min(mean - half, *values), max(mean + half, *values)


def paired_interval(differences: Sequence[float], *, reach: float = 1.0) -> Estimate | None:
    """Mean of paired differences, one per behaviour, with its interval; None if there are none.

    Student's interval after adding one behaviour at +1 and one at -1. For yes/no answers that is
    the adjusted interval of Bonett and Price 2012 (doi:10.3102/1076998611411915): it keeps a width
    where all differences agree, which neither the plain t interval nor a bootstrap over behaviours
    does, and needs no random numbers. Cut to [-reach, reach].
    """
    if not differences:
        return None
    mean = fmean(differences)
    padded = [*differences, 1.0, -1.0]
    n = len(padded)
    half = float(stdtrit(n - 1, 0.975)) * float(np.std(padded, ddof=1)) / sqrt(n)
    centre = fmean(padded)
    low, high = min(centre - half, mean), max(centre + half, mean)
    return mean, max(low, -reach), min(high, reach)


def mean_of_independent(parts: Sequence[Estimate]) -> Estimate | None:
    """The plain mean of independent estimates, its interval put together from theirs.

    Zou and Donner 2008 (doi:10.1002/sim.3095): squared distances to the ends add up.
    """
    if not parts:
        return None
    k = len(parts)
    below = sqrt(sum((value - low) ** 2 for value, low, _ in parts)) / k
    above = sqrt(sum((high - value) ** 2 for value, _, high in parts)) / k
    mean = fmean(value for value, _, _ in parts)
    return mean, mean - below, mean + above


def rogan_gladen(
    rate: float,
    n: float,
    *,
    sensitivity: float,
    n_harmful: int,
    specificity: float,
    n_harmless: int,
) -> Estimate | None:
    """The rate behind an observed one, given how often the judge errs; None if that is unknowable.

    Rogan and Gladen 1978: (p + Sp - 1) / (Se + Sp - 1), cut to [0, 1]; undefined, and never
    "uncorrected", when Se + Sp <= 1. Delta-method interval in which the variances of `rate`, Se and
    Sp (measured on `n_harmful` and `n_harmless` gold cases) come from proportions with two answers
    of each kind added, so that a flawless record on few gold cases stays uncertain.
    """
    power = sensitivity + specificity - 1
    if power <= 0 or n <= 0 or n_harmful <= 0 or n_harmless <= 0:
        return None
    true_rate = min(max((rate + specificity - 1) / power, 0.0), 1.0)
    spread = (
        _adjusted_variance(rate, n)
        + true_rate**2 * _adjusted_variance(sensitivity, n_harmful)
        + (1 - true_rate) ** 2 * _adjusted_variance(specificity, n_harmless)
    )
    half = Z * sqrt(spread) / power
    return true_rate, max(0.0, true_rate - half), min(1.0, true_rate + half)


def _adjusted_variance(rate: float, n: float) -> float:
    """Variance of a proportion with two successes and two failures added (Agresti and Coull)."""
    adjusted = (rate * n + 2) / (n + 4)
    return adjusted * (1 - adjusted) / (n + 4)
