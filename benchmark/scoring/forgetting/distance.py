"""How far a model's truth ratios lie from a gold model's, which never learnt the persons.

Shapes: P persons, C = 2 P columns, E values, F permutations or bootstrap samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.core.forgetting import LikelihoodRow
from benchmark.scoring.compare import N_EXACT, N_FLIPS, sign_patterns
from benchmark.scoring.forgetting.values import Mean, log_truth_ratio

N_BOOTSTRAP = 2_000
SEED = 20_240_601
SAME = 1e-9
"""Two distances nearer than this differ by rounding alone."""

Ratios = dict[str, list[float]]
"""A person's truth ratios, one per question."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Kolmogorov's and Smirnov's D, 0 to 1, with its 95 % interval and the p of no difference; None
    where no person has a truth ratio from both models.

    The bounds are what D could at least and at most be, whatever the ratios are of the questions
    that it leaves out, since they, or all that the other model was asked of their person, are
    unscored; None where all are in it. `n_missing` are persons that only one of both models was
    asked about: they are in nothing.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    bound_low: float | None
    bound_high: float | None
    n_persons: int
    n_mine: int
    n_gold: int
    n_unscored: int
    n_missing: int


def ks_distance(
    mine: Sequence[LikelihoodRow], gold: Sequence[LikelihoodRow], *, mean: Mean = "arithmetic"
) -> Distance:
    """D between the truth ratios of two models on the same persons.

    TOFU's forget quality (arXiv:2401.06121, section 2.2.2) is the p of `scipy.stats.ks_2samp`. It
    differs here: D is the figure, which does not shrink with more questions; and p comes from
    exchanging both models' answers person by person (all ways of up to 12 persons, else 10,000
    drawn ones, the data among them), since a person's questions hang together and both models were
    asked the same ones. The interval is a percentile bootstrap over persons, widened to D, with one
    person added that lies wholly below gold and one wholly above, as `paired_interval` has them,
    since it would have no width where D is 0 or 1. It lies high where both are nearly alike, as D
    cannot be below 0, and never reaches 0 where they are drawn alike: what is near is to be read
    off p and off gold against gold.
    """
    persons = {row.person for row in mine} & {row.person for row in gold}
    asked = {row.person for row in (*mine, *gold)}
    own, theirs = ([row for row in rows if row.person in persons] for rows in (mine, gold))
    first, second = ratios(own, mean=mean), ratios(theirs, mean=mean)
    shared = sorted(set(first) & set(second))
    value = low = high = p = None
    if shared:
        steps = _Steps([first[name] for name in shared], [second[name] for name in shared])
        value = steps.value
        low, high = _bootstrap(steps, value)
        p = _permutation_p(steps, value)
    n_mine, n_gold = (sum(len(found[name]) for name in shared) for found in (first, second))
    # Each curve moves by no more than the share of it that is left out.
    moves = sum(1 - n / len(rows) for n, rows in ((n_mine, own), (n_gold, theirs)) if rows)
    n_ratios = sum(map(len, (*first.values(), *second.values())))
    return Distance(
        value=value, low=low, high=high, p=p,
        bound_low=max((value or 0.0) - moves, 0.0) if moves else None,
        bound_high=min((value or 0.0) + moves, 1.0) if moves else None,
        n_persons=len(shared), n_mine=n_mine, n_gold=n_gold,
        n_unscored=len(own) + len(theirs) - n_ratios, n_missing=len(asked - persons),
    )  # fmt: skip


def ratios(rows: Sequence[LikelihoodRow], *, mean: Mean = "arithmetic") -> Ratios:
    """log R of every question that has one, by person: D of logarithms is D of what they are of."""
    found: Ratios = {}
    for row in rows:
        value = log_truth_ratio(row, mean=mean)
        if value is not None:
            found.setdefault(row.person, []).append(value)
    return found


def ks(mine: Sequence[float], gold: Sequence[float]) -> float:
    """D of two samples, neither of them empty: the largest gap between their shares at or below any
    value."""
    return _Steps([mine], [gold]).value


class _Steps:
    """All values of both models in their order, each with whose it is: D is how far the shares at
    or below a value come apart on the way through them.

    `column` is a person of one side: the model's first, then gold's.
    """

    def __init__(self, mine: Sequence[Sequence[float]], gold: Sequence[Sequence[float]]) -> None:
        self._values = mine, gold
        every = [np.asarray(own, dtype=float) for own in (*mine, *gold)]
        values_E = np.concatenate(every)
        order_E = np.argsort(values_E, kind="stable")
        self._column_E = np.repeat(np.arange(len(every)), [len(own) for own in every])[order_E]
        values_E = values_E[order_E]
        # Values that are equal are taken in one step.
        self._last_E = np.append(values_E[1:] != values_E[:-1], True)
        self._mine_P1, self._gold_P1 = (np.array([[len(o)] for o in s]) for s in (mine, gold))

    def with_ends(self) -> _Steps:
        """The same with two persons more, of as many questions as the others have on average: the
        model's values of one lie below all others and gold's above, those of the other person the
        other way round."""
        mine, gold = self._values
        n_mine, n_gold = (max(1, round(sum(map(len, v)) / len(v))) for v in (mine, gold))
        ends = (-np.inf, np.inf)
        return _Steps(
            [*mine, *([end] * n_mine for end in ends)],
            [*gold, *([end] * n_gold for end in reversed(ends))],
        )

    @property
    def n_persons(self) -> int:
        return len(self._mine_P1)

    @property
    def value(self) -> float:
        """D itself."""
        return float(self.distances(np.ones((1, self.n_persons), dtype=int))[0])

    def distances(self, counts_FP: np.ndarray) -> np.ndarray:
        """`[F]`: D where each person counts so often, on both sides."""
        mine_F1, gold_F1 = counts_FP @ self._mine_P1, counts_FP @ self._gold_P1
        return self._widest(counts_FP * gold_F1, -counts_FP * mine_F1) / (mine_F1 * gold_F1)[:, 0]

    def exchanged(self, stays_FP: np.ndarray) -> np.ndarray:
        """`[F]`: D where the persons that do not stay (0) have changed sides."""
        leaves_FP = 1 - stays_FP
        mine_F1 = stays_FP @ self._mine_P1 + leaves_FP @ self._gold_P1
        gold_F1 = stays_FP @ self._gold_P1 + leaves_FP @ self._mine_P1
        return (
            self._widest(
                stays_FP * gold_F1 - leaves_FP * mine_F1, leaves_FP * gold_F1 - stays_FP * mine_F1
            )
            / (mine_F1 * gold_F1)[:, 0]
        )

    def _widest(self, mine_FP: np.ndarray, gold_FP: np.ndarray) -> np.ndarray:
        """`[F]`: the largest sum of the first values, to either side, where a person's values count
        so much. Whole numbers, whose sums are exact: shares times the values of both sides."""
        table_CF = np.ascontiguousarray(np.hstack([mine_FP, gold_FP]).T)
        largest = np.abs(table_CF).max() * len(self._column_E)
        table_CF = table_CF.astype(np.int32 if largest < 2**31 else np.int64)
        reached_F = np.zeros(table_CF.shape[1], dtype=table_CF.dtype)
        widest_F = reached_F.copy()
        for column, is_last in zip(self._column_E.tolist(), self._last_E.tolist(), strict=True):
            reached_F += table_CF[column]
            if is_last:
                np.maximum(widest_F, np.abs(reached_F), out=widest_F)
        return widest_F


def _permutation_p(steps: _Steps, value: float) -> float:
    stays_FP = (1 + sign_patterns(steps.n_persons).astype(int)) // 2
    at_least = steps.exchanged(stays_FP) >= value - SAME
    if steps.n_persons <= N_EXACT:
        return float(np.mean(at_least))
    return float((1 + np.sum(at_least)) / (1 + N_FLIPS))


def _bootstrap(steps: _Steps, value: float) -> tuple[float, float]:
    padded = steps.with_ends()
    draws, n = np.random.default_rng(SEED), padded.n_persons
    counts_FP = draws.multinomial(n, np.full(n, 1 / n), size=N_BOOTSTRAP)
    low, high = np.quantile(padded.distances(counts_FP), [0.025, 0.975])
    return min(float(low), value), max(float(high), value)
