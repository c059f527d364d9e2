"""Intervals against values a reader can redo, and the properties nobody may break."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.scoring.intervals import (
    Z,
    effective_n,
    mean_of_independent,
    next_value_interval,
    paired_interval,
    rogan_gladen,
    t_interval,
    wilson,
)

RATES = st.floats(0, 1)


def test_wilson_of_none_in_ten_by_hand() -> None:
    """p = 0: low 0, high z^2 / (n + z^2) = 3.8415 / 13.8415."""
    low, high = wilson(0.0, 10)
    assert low == 0.0
    assert high == pytest.approx(3.8415 / 13.8415, abs=1e-4)


def test_wilson_of_half_by_hand() -> None:
    """p = 1/2: half width z / (2 sqrt(n + z^2))."""
    low, high = wilson(0.5, 100)
    assert high - 0.5 == pytest.approx(Z / (2 * sqrt(100 + Z * Z)))
    assert 0.5 - low == pytest.approx(high - 0.5)


@given(RATES, st.floats(0.5, 1e5))
def test_wilson_holds_the_rate_and_has_a_width(rate: float, n: float) -> None:
    low, high = wilson(rate, n)
    assert 0 <= low <= rate <= high <= 1
    assert high > low


def test_effective_n_of_answers_all_alike_is_the_number_of_behaviours() -> None:
    """4 behaviours asked 5 times, each always alike, half of them 1: variance 1/3 / 4 = 1/12;
    p (1 - p) / (1/12) = 3, below the 4 behaviours there are."""
    assert effective_n([0.0, 0.0, 1.0, 1.0], 20) == 4


def test_effective_n_between_the_ends() -> None:
    """Rates 0.2 and 0.6 in turns, 10 behaviours: mean 0.4, variance 0.4 / 9, over 10 0.00444;
    0.24 / 0.00444 = 54."""
    assert effective_n([0.2, 0.6] * 5, 100) == pytest.approx(54.0)
    assert effective_n([0.2, 0.6] * 5, 50) == 50


@given(st.lists(RATES, min_size=1, max_size=30), st.integers(1, 8))
def test_effective_n_lies_between_behaviours_and_answers(rates: list[float], k: int) -> None:
    assert len(rates) <= effective_n(rates, k * len(rates)) <= k * len(rates)


def test_t_interval_of_three_by_hand() -> None:
    """1, 2, 3: mean 2, sd 1, t(2) = 4.3027, half 4.3027 / sqrt(3)."""
    mean, low, high = t_interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert high - mean == pytest.approx(4.30265 / sqrt(3), abs=1e-4)
    assert mean - low == pytest.approx(high - mean)
    assert t_interval([1.0]) is None


def test_one_more_value_lies_where_student_says() -> None:
    """Mean 0.5, s = 0.1, t(2) = 4.3027: half = 4.3027 * 0.1 * sqrt(1 + 1 / 3)."""
    half = 4.302653 * 0.1 * sqrt(4 / 3)
    assert next_value_interval([0.4, 0.5, 0.6]) == pytest.approx(
        (0.5, 0.5 - half, 0.5 + half), abs=1e-6
    )
    assert next_value_interval([0.5]) is None
    # The mean of three tenths rounds past them.
    found = next_value_interval([0.1, 0.1, 0.1])
    assert found is not None and found[1] <= 0.1 <= found[2]


def test_paired_interval_where_all_agree_still_has_a_width() -> None:
    """96 behaviours at -1, padded with +1 and -1: centre -96/98."""
    value, low, high = paired_interval([-1.0] * 96)
    assert value == -1.0
    assert low == -1.0
    assert -0.99 < high < -0.9


def test_paired_interval_by_hand() -> None:
    """0, 0 padded to 0, 0, 1, -1: mean 0, sd sqrt(2/3), t(3) = 3.1824, half = 1.2992, cut to 1."""
    assert paired_interval([0.0, 0.0]) == (0.0, -1.0, 1.0)
    value, low, high = paired_interval([0.0, 0.0], reach=2.0)
    assert (value, low) == (0.0, -high)
    assert high == pytest.approx(3.18245 * sqrt(2 / 3) / 2, abs=1e-4)
    assert paired_interval([]) is None


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_paired_interval_mirrors_and_holds_the_mean(differences: list[float]) -> None:
    value, low, high = paired_interval(differences)
    mirrored = paired_interval([-difference for difference in differences])
    assert low - 1e-9 <= value <= high + 1e-9
    assert low < high
    assert mirrored == pytest.approx((-value, -high, -low))


def test_mean_of_two_by_hand() -> None:
    """Distances 0.3 and 0.4 below: sqrt(0.09 + 0.16) / 2 = 0.25."""
    mean, low, high = mean_of_independent([(0.5, 0.2, 0.6), (0.9, 0.5, 0.9)])
    assert (mean, low) == (pytest.approx(0.7), pytest.approx(0.45))
    assert high == pytest.approx(0.75)
    assert mean_of_independent([]) is None


def test_rogan_gladen_by_hand() -> None:
    """(0.5 + 0.9 - 1) / (0.8 + 0.9 - 1) = 0.4 / 0.7."""
    value, low, high = rogan_gladen(
        0.5, 100, sensitivity=0.8, n_harmful=50, specificity=0.9, n_harmless=50
    )
    assert value == pytest.approx(0.4 / 0.7)
    assert low < value < high


def test_rogan_gladen_is_undefined_for_a_judge_no_better_than_a_coin() -> None:
    for sensitivity, specificity in ((0.5, 0.5), (0.2, 0.7)):
        assert (
            rogan_gladen(
                0.5,
                100,
                sensitivity=sensitivity,
                n_harmful=9,
                specificity=specificity,
                n_harmless=9,
            )
            is None
        )


@given(RATES, st.integers(1, 200), st.integers(1, 60))
def test_fewer_gold_cases_never_narrow_a_corrected_rate(rate: float, n: int, gold: int) -> None:
    few = rogan_gladen(rate, n, sensitivity=1, n_harmful=gold, specificity=1, n_harmless=gold)
    many = rogan_gladen(
        rate, n, sensitivity=1, n_harmful=gold + 40, specificity=1, n_harmless=gold + 40
    )
    assert few[0] == many[0] == pytest.approx(rate)
    assert few[2] - few[1] >= many[2] - many[1] - 1e-9
