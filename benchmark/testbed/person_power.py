"""How many persons it takes to tell a model from its gold: the power of the two-sample KS test.

One figure per person (the mean of log truth ratios over the questions about them), of the model and
of its gold; D is the largest distance between the two distributions over persons; its null
distribution comes from swapping model and gold within persons, as the privacy metrics do.
Simulated: the gold's figure of a person is standard normal, the model's is shifted by `effect`
standard deviations and correlated with it by `correlation`, since the questions are the same.
"""

from __future__ import annotations

import numpy as np

ALPHA = 0.05
N_TRIALS = 400
N_SWAPS = 199
CORRELATION = 0.0
"""Between model and gold over persons: none is the cautious assumption, for pairs do not help."""


def ks_power(
    n_persons: int,
    *,
    effect: float,
    alpha: float = ALPHA,
    correlation: float = CORRELATION,
    n_trials: int = N_TRIALS,
    n_swaps: int = N_SWAPS,
    seed: int = 0,
) -> float:
    """The share of simulated comparisons whose permutation p-value is at most `alpha`.

    `effect` is in standard deviations over persons. With effect 0 it is the test's own size.
    """
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(n_trials):
        gold_N = rng.standard_normal(n_persons)
        own_N = rng.standard_normal(n_persons)
        shared = np.sqrt(1 - correlation**2)
        model_N = correlation * gold_N + shared * own_N + effect
        swapped_SN = rng.random((n_swaps, n_persons)) < 0.5
        distance = ks_distances(model_N[None], gold_N[None])[0]
        distances_S = ks_distances(
            np.where(swapped_SN, gold_N, model_N), np.where(swapped_SN, model_N, gold_N)
        )
        # The order of sums is the same in both, so that equal distances are equal numbers.
        p_value = (1 + np.sum(distances_S >= distance)) / (1 + n_swaps)
        found += bool(p_value <= alpha)
    return found / n_trials


def ks_distances(one_SN: np.ndarray, other_SN: np.ndarray) -> np.ndarray:
    """The two-sample KS distance of each pair of rows [S, N] of equally many figures, as [S]."""
    n_persons = one_SN.shape[1]
    both = np.concatenate([one_SN, other_SN], axis=1)
    signs = np.where(np.arange(2 * n_persons) < n_persons, 1, -1)
    ranked = signs[np.argsort(both, axis=1, kind="stable")]
    distances: np.ndarray = np.abs(np.cumsum(ranked, axis=1)).max(axis=1) / n_persons
    return distances
