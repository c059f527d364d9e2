"""Areas under curves and what is caught at few false alarms: by hand, and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from forgetting_parts import likely, question
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from benchmark.core.errors import UserError
from benchmark.scoring.forgetting.membership import membership
from benchmark.scoring.forgetting.roc import area, auc, caught, caught_at

# Few different values, so that many are equal.
SCORES = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=12)


def persons(scores, prefix: str = "p") -> dict[str, list[float | None]]:
    return {f"{prefix}{n}": [score] for n, score in enumerate(scores)}


def test_an_area_by_hand():
    """Of the pairs (1, 0), (1, 2), (2, 0), (2, 2): won, lost, won, equal."""
    found = area(persons([1.0, 2.0]), persons([0.0, 2.0], "n"))
    assert found.value == 2.5 / 4
    assert (found.n_positive, found.n_negative, found.n_unscored) == (2, 2, 0)
    assert found.bound_low is found.bound_high is None


@given(SCORES, SCORES)
def test_areas_are_scikit_learns_and_turn_round(positive, negative):
    truth = [1] * len(positive) + [0] * len(negative)
    expected = roc_auc_score(truth, [*positive, *negative])
    found = area(persons(positive), persons(negative, "n"))
    turned = area(persons(negative, "n"), persons(positive))
    assert found.value == pytest.approx(expected)
    assert turned.value == pytest.approx(1 - expected)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high
    assert turned.low == pytest.approx(1 - found.high)
    assert auc(np.array(positive), np.array(negative)) == pytest.approx(expected)


@given(SCORES, SCORES, st.sampled_from([0.01, 0.1, 0.25, 0.5]))
def test_what_is_caught_is_the_highest_point_of_scikit_learns_curve(positive, negative, rate):
    truth = [1] * len(positive) + [0] * len(negative)
    wrongly, rightly, _ = roc_curve(truth, [*positive, *negative], drop_intermediate=False)
    expected = rightly[wrongly <= rate].max()
    found = caught_at(np.array(positive), np.array(negative), false_positives=rate)
    assert found == pytest.approx(expected)


def test_of_three_hundred_strangers_three_may_be_taken_for_members():
    """0.01 x 300 is 3 although it is not in binary: the bar is the fourth highest, 296."""
    strangers = np.arange(300.0)
    assert caught_at(np.array([296.5, 295.5]), strangers) == 0.5


def test_the_interval_is_delongs_with_half_a_person_more_at_either_end():
    """Positives 3, 4, 5 and negatives 1, 2, 3, with half a one above all and half below on each
    side. By hand: the wins of each, their squared distances from the mean by weight, times 5/4 for
    five persons, over the squared weight; 1.96 times the root of both sums."""
    found = area(persons([3.0, 4.0, 5.0]), persons([1.0, 2.0, 3.0], "n"))
    weights = [1, 1, 1, 0.5, 0.5]
    mine, theirs = [3, 4, 5, math.inf, -math.inf], [1, 2, 3, math.inf, -math.inf]
    wins = [[1.0 if a > b else 0.5 if a == b else 0.0 for b in theirs] for a in mine]
    of_mine = [sum(w * win for w, win in zip(weights, row, strict=True)) / 4 for row in wins]
    columns = list(zip(*wins, strict=True))
    of_theirs = [sum(w * win for w, win in zip(weights, row, strict=True)) / 4 for row in columns]
    middle = sum(w * win for w, win in zip(weights, of_mine, strict=True)) / 4
    spread = sum(
        5 / 4 * sum((w * (win - middle)) ** 2 for w, win in zip(weights, side, strict=True)) / 16
        for side in (of_mine, of_theirs)
    )
    assert found.value == 8.5 / 9
    assert found.low == pytest.approx(middle - 1.959964 * math.sqrt(spread), abs=1e-6)
    assert found.high == 1.0


def test_a_perfect_separation_of_few_keeps_a_width():
    few, many = (
        area(persons(np.arange(100.0, 100.0 + n)), persons(np.arange(float(n)), "n"))
        for n in (5, 50)
    )
    assert (few.value, few.high, many.value) == (1.0, 1.0, 1.0)
    assert few.low < many.low < 1.0


def test_persons_with_many_scores_count_as_persons():
    """The same three persons asked ten times over tell no more than asked once."""
    once = area(persons([1.0, 3.0, 5.0]), persons([0.0, 2.0, 4.0], "n"))
    often = area(
        {name: own * 10 for name, own in persons([1.0, 3.0, 5.0]).items()},
        {name: own * 10 for name, own in persons([0.0, 2.0, 4.0], "n").items()},
    )
    assert often.value == once.value
    assert often.high - often.low > 0.6 * (once.high - once.low)


def test_persons_on_both_sides_are_paired():
    """What differs between persons and not between models drops out: each is one higher."""
    known = persons([0.0, 10.0, 20.0, 30.0, 40.0, 50.0])
    shifted = {name: [score + 1 for score in own] for name, own in known.items()}
    apart = {f"other {name}": own for name, own in known.items()}
    assert area(shifted, known).value == area(shifted, apart).value
    paired, unpaired = area(shifted, known), area(shifted, apart)
    assert paired.high - paired.low < unpaired.high - unpaired.low


def test_the_unscored_are_bounds_and_neither_side():
    """One of two members unscored: between (1 + 0) / 2 and (1 + 1) / 2."""
    found = area({"a": [2.0], "b": [None]}, {"n": [1.0]})
    assert (found.value, found.bound_low, found.bound_high) == (1.0, 0.5, 1.0)
    assert (found.n_positive, found.n_unscored) == (1, 1)
    rate = caught({"a": [2.0], "b": [None]}, {"n": [1.0]})
    assert (rate.value, rate.bound_low, rate.bound_high) == (1.0, 0.5, 1.0)
    # An unscored stranger may lie above every member.
    assert caught({"a": [2.0]}, {"n": [1.0], "o": [None]}).bound_low == 0.0


def test_with_an_empty_side_there_is_no_figure():
    for found in (area({}, {"n": [1.0]}), area({"a": [None]}, {"n": [1.0]}), caught({}, {})):
        assert found.value is found.low is found.high is None
    assert area({"a": [None]}, {"n": [1.0]}).bound_high == 1.0


def test_the_rate_caught_has_an_interval_even_where_all_are():
    found = caught(persons([5.0] * 20), persons([1.0] * 20, "n"))
    assert (found.value, found.high) == (1.0, 1.0)
    # Wilson's for 20 of 20.
    assert found.low == pytest.approx(0.8389, abs=1e-4)


def test_views_of_one_person_are_drawn_together():
    """Four of eight are caught; they are one person's of two, which a draw may leave out."""
    views, strangers = {"a": [5.0] * 4, "b": [0.0] * 4}, {"n": [1.0] * 4}
    found = caught(views, strangers)
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)
    assert (found.n_positive, found.n_negative) == (2, 1)


def test_the_bar_is_as_uncertain_as_the_strangers_it_is_found_on():
    """One stranger of twenty lies among the members: without it all are caught. Wilson's alone
    would end at 0.47."""
    members, strangers = persons(np.arange(20.0, 40.0)), persons([*range(19), 34.5], "n")
    found = caught(members, strangers)
    assert (found.value, found.high) == (5 / 20, 1.0)


def told(person: str, *probabilities: float, group="forget", fact="job"):
    return likely(question(person, fact, group=group), right=probabilities)


def test_membership_is_by_person_and_against_the_never_trained():
    """a: log 0.5 and log 0.25 on average -1.04; b: log 0.3 = -1.20; strangers: -1.20 and -1.61."""
    rows = [
        told("a", 0.5), told("a", 0.25, fact="town"), told("b", 0.3),
        told("s", 0.3, group="never_trained"), told("t", 0.2, group="never_trained"),
        told("r", 1.0, group="retain"),
    ]  # fmt: skip
    found = membership(rows, "membership_loss")
    assert found.auc.value == (1 + 1 + 0.5 + 1) / 4
    assert (found.auc.n_positive, found.auc.n_negative) == (2, 2)
    assert found.tpr.value == 0.5


def test_min_k_sees_what_the_mean_hides():
    """The members' answers have no token that surprises; the strangers' have one."""
    members = [told(f"m{n}", 0.4, 0.4, 0.4) for n in range(3)]
    others = [told(f"s{n}", 0.9, 0.9, 0.1, group="never_trained") for n in range(3)]
    assert membership([*members, *others], "membership_min_k").auc.value == 1.0
    # 0.4 x 0.4 x 0.4 is below 0.9 x 0.9 x 0.1.
    assert membership([*members, *others], "membership_loss").auc.value == 0.0


def test_an_unscored_member_is_not_a_forgotten_one():
    rows = [
        likely(question("a"), unscored="empty_answer"),
        told("s", 0.3, group="never_trained"),
    ]
    found = membership(rows, "membership_loss")
    assert found.auc.value is found.tpr.value is None
    assert (found.auc.bound_low, found.auc.bound_high, found.auc.n_unscored) == (0.0, 1.0, 1)


def test_an_attack_that_is_none():
    with pytest.raises(UserError, match="unknown membership attack 'loss'"):
        membership([], "loss")


def test_membership_goes_by_what_both_groups_were_asked():
    """Whoever alone is asked a harder question would be told apart by that."""
    rows = [
        likely(question(f"{group}{i}", "job", group=group), right=(0.1 + 0.1 * i,))
        for group in ("forget", "never_trained")
        for i in range(5)
    ]
    harder = [likely(question(f"forget{i}", "name"), right=(1e-6,)) for i in range(5)]
    alike, found = (membership(some, "membership_loss").auc for some in (rows, rows + harder))
    assert found.value == alike.value == 0.5
