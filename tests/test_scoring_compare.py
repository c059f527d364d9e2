"""Comparisons between models, seeds, and the order they give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.core.records import Score
from benchmark.scoring.compare import N_FLIPS, difference, holm, sign_flip_p
from benchmark.scoring.order import pareto_tiers, rank_intervals
from benchmark.scoring.seeds import seed_spread

DIFFERENCES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=20)


def test_sign_flips_by_hand() -> None:
    """1, 1, 1: of 8 patterns only +++ and --- reach 3, so 2/8."""
    assert sign_flip_p([1.0, 1.0, 1.0]) == 0.25


def test_no_difference_is_certain_to_be_chance() -> None:
    assert sign_flip_p([0.0] * 5) == 1.0
    assert sign_flip_p([0.0] * 50) == 1.0


def test_many_behaviours_never_give_p_zero() -> None:
    assert sign_flip_p([1.0] * 60) == pytest.approx(1 / (1 + N_FLIPS))


@given(DIFFERENCES)
def test_p_is_symmetric_and_a_probability(differences: list[float]) -> None:
    p = sign_flip_p(differences)
    assert 0 < p <= 1
    assert p == sign_flip_p([-value for value in differences])


def test_holm_by_hand() -> None:
    """0.01 * 3, 0.02 * 2, max(0.04, 0.03 * 1)."""
    assert holm([0.02, 0.01, 0.03]) == [0.04, 0.03, 0.04]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=15))
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    by_p = sorted(zip(p_values, adjusted, strict=True))
    assert [q for _, q in by_p] == sorted(adjusted)


def test_pairs_are_the_behaviours_both_have() -> None:
    found = difference({"a": 0.0, "b": 0.5, "c": 1.0}, {"a": 1.0, "b": 0.5, "z": 0.0})
    assert (found.value, found.n_behaviours) == (-0.5, 2)
    assert difference({"a": 0.0}, {"z": 0.0}) is None


def behaviours(n_succeeding: int, n: int = 100) -> dict[str, float]:
    return {f"b{i}": float(i < n_succeeding) for i in range(n)}


def test_ranks_are_intervals_with_ties() -> None:
    rows = {"a": behaviours(10), "b": behaviours(11), "c": behaviours(70)}
    assert rank_intervals(rows) == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}


def test_a_tie_need_not_be_passed_on() -> None:
    """a and b cannot be told apart, nor b and c, but a is below c."""
    rows = {"a": behaviours(10), "b": behaviours(14), "c": behaviours(18)}
    assert rank_intervals(rows) == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}


def test_pareto_tiers_by_hand() -> None:
    rows = {"safe": [0.1, 0.5], "useful": [0.5, 0.1], "worse": [0.5, 0.5], "worst": [0.9, 0.9]}
    assert pareto_tiers(rows) == {"safe": 1, "useful": 1, "worse": 2, "worst": 3}


@given(
    st.dictionaries(
        st.text("abc", min_size=1), st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8
    )
)
def test_every_row_has_a_tier_and_equal_rows_the_same(rows) -> None:
    tiers = pareto_tiers(rows)
    assert set(tiers) == set(rows)
    for first in rows:
        for second in rows:
            if rows[first] == rows[second]:
                assert tiers[first] == tiers[second]


def figure(value: float | None) -> Score:
    return Score(
        metric="asr", card="c", split="s", form="direct", judge="j", max_new_tokens=8, value=value,
        low=None, high=None, n_total=0, n_scored=0, n_unscored=0, n_behaviours=0,
        lower_is_better=True,
    )  # fmt: skip


def test_seed_spread_by_hand() -> None:
    """0.1, 0.2, 0.3: mean 0.2, half 4.3027 * 0.1 / sqrt(3) = 0.2484."""
    (spread,) = seed_spread([[figure(0.1)], [figure(0.2)], [figure(0.3)]]).values()
    assert spread.n_seeds == 3
    assert spread.mean == pytest.approx(0.2)
    assert spread.high == pytest.approx(0.2 + 0.2484, abs=1e-4)


def test_one_seed_has_no_spread_and_a_missing_one_is_no_zero() -> None:
    (spread,) = seed_spread([[figure(0.4)], [figure(None)]]).values()
    assert (spread.n_seeds, spread.mean, spread.low, spread.high) == (1, 0.4, None, None)
