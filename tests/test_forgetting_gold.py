"""Distances to gold, gold against gold, and leaks between modalities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
from forgetting_parts import likely, question, with_matches, with_ratios
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from benchmark.core.errors import UserError
from benchmark.scoring.compare import N_FLIPS
from benchmark.scoring.forgetting.distance import ks, ks_distance
from benchmark.scoring.forgetting.gold import (
    Gold,
    gold_against_gold,
    ks_to_gold,
    to_gold,
)
from benchmark.scoring.forgetting.leak import leak
from benchmark.scoring.forgetting.measures import Told

# Scipy's p of one value against another, which is not asked for.
pytestmark = pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")

VALUES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=15)
RATIOS = st.dictionaries(
    st.sampled_from("abcde"),
    st.lists(st.sampled_from([0.1, 0.5, 1.0, 2.0, 5.0]), min_size=1, max_size=4),
    min_size=1,
)


def gold(
    seed: int,
    ratios: Mapping[str, Sequence[float | None]] | None = None,
    matches: Mapping[str, Sequence[float | None]] | None = None,
) -> Gold:
    told = Told(
        name=f"gold{seed}",
        likelihoods=with_ratios(ratios or {}),
        matches=with_matches(matches or {}),
    )
    return Gold(seed=seed, told=told)


def test_d_by_hand():
    """Shares at or below 1, 2, 3: 1/2, 1/2, 1 against 0, 1/2, 1/2."""
    assert ks([1.0, 3.0], [2.0, 4.0]) == 0.5
    assert ks([1.0, 2.0], [3.0, 4.0]) == 1.0


@given(VALUES, VALUES)
def test_d_is_scipys_symmetric_and_a_share(mine, other):
    found = ks(mine, other)
    assert found == pytest.approx(ks_2samp(mine, other, method="asymp").statistic)
    assert found == ks(other, mine)
    assert 0 <= found <= 1


@given(RATIOS, RATIOS)
def test_distances_between_models_are_symmetric_with_a_p_above_zero(mine, other):
    one, turned = (
        ks_distance(with_ratios(a), with_ratios(b)) for a, b in ((mine, other), (other, mine))
    )
    shared = sorted(set(mine) & set(other))
    assert one.n_persons == len(shared)
    assert one.n_missing == len(set(mine) ^ set(other))
    if not shared:
        assert one.value is one.p is one.low is None
        return
    flat = [[r for name in shared for r in own[name]] for own in (mine, other)]
    assert one.value == turned.value == pytest.approx(ks_2samp(*flat, method="asymp").statistic)
    assert 0 < one.p <= 1 and one.p == turned.p
    assert 0 <= one.low <= one.value <= one.high <= 1


def test_persons_are_exchanged_and_not_questions():
    """Three persons of four questions, all further up in one model: only all three exchanged, or
    none, are as far apart. 2 of 8; by questions 12 against 12 would be 1 in a million."""
    mine = {p: [0.1, 0.2, 0.3, 0.4] for p in "abc"}
    other = {p: [1.1, 1.2, 1.3, 1.4] for p in "abc"}
    found = ks_distance(with_ratios(mine), with_ratios(other))
    assert (found.value, found.p) == (1.0, 0.25)
    assert ks_2samp([0.1] * 12, [1.1] * 12).pvalue < 1e-6


def test_many_persons_never_give_p_zero():
    mine = {f"p{n}": [0.1] for n in range(40)}
    other = {f"p{n}": [2.0] for n in range(40)}
    found = ks_distance(with_ratios(mine), with_ratios(other))
    assert found.p == pytest.approx(1 / (1 + N_FLIPS))


def test_unequal_numbers_of_questions_change_sides_with_their_person():
    """a: 1 against 3, 4; b: 2 against 5. As they are D = 1. With a exchanged mine is 3, 4, 2 and
    gold's 1, 5: at 4 all of mine against a half; with both, 1 again: 2 of 4."""
    found = ks_distance(
        with_ratios({"a": [1.0], "b": [2.0]}), with_ratios({"a": [3.0, 4.0], "b": [5.0]})
    )
    assert (found.value, found.p) == (1.0, 0.5)


def test_equal_models_are_not_apart_and_yet_not_certainly_equal():
    same = {f"p{n}": [0.5, 2.0] for n in range(20)}
    found = ks_distance(with_ratios(same), with_ratios(same))
    assert (found.value, found.p, found.low) == (0.0, 1.0, 0.0)
    assert 0.0 < found.high < 0.3


def test_models_wholly_apart_are_not_certainly_so():
    few, many = (
        ks_distance(
            with_ratios({f"p{i}": [0.1] for i in range(n)}),
            with_ratios({f"p{i}": [2.0] for i in range(n)}),
        )
        for n in (5, 50)
    )
    assert (few.value, few.high, many.value) == (1.0, 1.0, 1.0)
    assert few.low < many.low < 1.0


def test_unscored_questions_widen_the_bounds_of_d():
    """One of four of mine is lost: gold's curve stays, mine moves by a quarter at most."""
    mine = with_ratios({"a": [0.1, 0.1], "b": [0.1, None]})
    found = ks_distance(mine, with_ratios({"a": [0.1, 0.1], "b": [0.1, 9.0]}))
    assert found.value == pytest.approx(0.25)
    assert (found.bound_low, found.bound_high) == (0.0, pytest.approx(0.5))
    assert (found.n_mine, found.n_gold, found.n_unscored) == (3, 4, 1)
    for lost in (1e-6, 0.1, 9.0, 1e6):
        whole = ks_distance(
            with_ratios({"a": [0.1, 0.1], "b": [0.1, lost]}),
            with_ratios({"a": [0.1, 0.1], "b": [0.1, 9.0]}),
        )
        assert found.bound_low <= whole.value <= found.bound_high


def test_a_model_without_any_likelihood_is_neither_near_nor_far():
    """As where a hook answers: gibberish is not forgetting."""
    rows = [likely(question(p), unscored="hook_responds") for p in "ab"]
    found = ks_distance(rows, with_ratios({"a": [1.0], "b": [2.0]}))
    assert found.value is found.p is None
    assert (found.bound_low, found.bound_high, found.n_unscored) == (0.0, 1.0, 2)
    near = ks_to_gold(Told(name="gibberish", likelihoods=rows), GOLDS)
    assert near.value is near.as_gold is None


def ratios(*firsts: float) -> dict[str, list[float | None]]:
    return {f"p{n}": [first, first * 1.5] for n, first in enumerate(firsts)}


GOLDS = [
    gold(0, ratios(1.0, 2.0, 3.0, 4.0)),
    gold(1, ratios(1.1, 2.1, 3.1, 4.1)),
    gold(2, ratios(0.9, 1.9, 3.3, 4.4)),
    gold(3, ratios(1.05, 2.2, 2.9, 3.9)),
]


def test_golds_say_how_far_apart_golds_are():
    found = gold_against_gold(GOLDS)
    assert len(found.pairs) == 6 and found.n_golds == 4
    assert {(one, other) for one, other, _ in found.pairs} == {
        (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)
    }  # fmt: skip
    distances = [d for _, _, d in found.pairs]
    assert found.low <= min(distances) <= max(distances) <= found.high
    assert found.value == pytest.approx(sum(distances) / 6)


def test_the_interval_of_golds_by_hand():
    """D of 0, 1/2 and 1/2 of three golds: mean 1/3, s = 0.2887, half 4.3027 s sqrt(4/3) = 1.43."""
    three = [gold(n, {"a": [1.0], "b": [b]}) for n, b in enumerate((2.0, 2.0, 0.5))]
    found = gold_against_gold(three)
    assert [d for _, _, d in found.pairs] == [0.0, 0.5, 0.5]
    assert (found.value, found.low, found.high) == (pytest.approx(1 / 3), 0.0, 1.0)


def test_two_golds_are_too_few_to_say():
    found = gold_against_gold(GOLDS[:2])
    assert found.value is not None and found.low is found.high is None
    assert (
        ks_to_gold(Told(name="m", likelihoods=with_ratios(ratios(1.0))), GOLDS[:2]).as_gold is None
    )
    assert gold_against_gold([]).value is None


def test_gold_is_as_gold_and_the_untouched_model_is_not():
    """Another gold lies within what golds are apart; a model that knows lies far below 1."""
    fifth = Told(name="gold9", likelihoods=with_ratios(ratios(1.02, 2.05, 3.05, 4.2)))
    knowing = Told(name="original", likelihoods=with_ratios(ratios(0.01, 0.02, 0.03, 0.01)))
    near, far = ks_to_gold(fifth, GOLDS), ks_to_gold(knowing, GOLDS)
    assert near.as_gold is True and near.value <= near.spread.high
    assert (far.value, far.as_gold) == (1.0, False)
    assert len(ks_to_gold(GOLDS[0].told, GOLDS).distances) == 3


KNOWN = [gold(n, matches={"a": [0.0, 1.0], "b": [0.0, 0.0]}) for n in range(3)]


def model(matches) -> Told:
    return Told(name="m", matches=with_matches(matches))


def test_below_gold_is_as_far_off_as_above():
    """Gold has 1/4: a model with 0 is 1/4 below it, one with 1/2 as much above."""
    below, above = (
        to_gold(model({"a": a, "b": b}), KNOWN, "rouge_l")
        for a, b in (([0, 0], [0, 0]), ([1, 1], [0, 0]))
    )
    assert (below.value, below.difference) == (0.25, -0.25)
    assert (above.value, above.difference) == (0.25, 0.25)
    assert (below.low, below.high) == (above.low, above.high)
    assert below.as_gold is above.as_gold is False
    assert below.low == 0.0 and below.high > 0.25


def test_gold_lies_at_no_distance_from_gold():
    same = to_gold(model({"a": [0, 1], "b": [0, 0]}), KNOWN, "rouge_l")
    assert (same.value, same.low, same.as_gold) == (0.0, 0.0, True)
    assert same.high > 0.0


def test_an_empty_answer_is_no_nearer_to_gold():
    """b's second answer is empty: it may be anything, and only the first one counts."""
    found = to_gold(model({"a": [0, 1], "b": [0, None]}), KNOWN, "rouge_l")
    assert (found.value, found.bound_low, found.bound_high) == (0.0, 0.0, 0.25)
    assert found.as_gold is None
    gone = to_gold(model({"a": [None, None], "b": [None, None]}), KNOWN, "rouge_l")
    assert gone.value is gone.low is gone.as_gold is None
    assert (gone.bound_low, gone.bound_high, gone.n_persons) == (0.0, 0.75, 0)


def test_silence_moves_nobody_into_golds_range():
    """Golds tell 1, 2 and 1 of 12, and another would tell at most 4.2: 3 of 10 are as gold, and
    would not be were the other two told."""
    twelve = [f"p{n}" for n in range(12)]

    def telling(right: int, silent: int = 0):
        said = [*[1.0] * right, *[0.0] * (12 - right - silent), *[None] * silent]
        return {person: [value] for person, value in zip(twelve, said, strict=True)}

    golds = [gold(n, matches=telling(right)) for n, right in enumerate((1, 2, 1))]
    words = {
        (right, silent): to_gold(model(telling(right, silent)), golds, "rouge_l").as_gold
        for right, silent in ((3, 0), (3, 1), (3, 2), (5, 0), (5, 2), (0, 12))
    }
    assert words == {
        (3, 0): True, (3, 1): True, (3, 2): None, (5, 0): False, (5, 2): False, (0, 12): None,
    }  # fmt: skip


def test_unscored_likelihoods_move_nobody_to_gold():
    """As gold where all is known; of logarithms nothing bounds what one question might say."""
    own = ratios(1.02, 2.05, 3.05, 4.2)
    one = next(iter(own))
    holed = {**own, one: [*own[one], *[None] * 8]}
    told, silent = (Told(name="m", likelihoods=with_ratios(found)) for found in (own, holed))
    assert ks_to_gold(told, GOLDS).as_gold is True
    assert ks_to_gold(silent, GOLDS).as_gold is None
    assert to_gold(silent, GOLDS, "truth_ratio").as_gold is None


def test_persons_that_one_side_lacks_are_counted_and_left_out():
    found = to_gold(model({"a": [0, 1], "z": [1, 1]}), KNOWN, "rouge_l")
    assert (found.value, found.n_persons, found.n_missing) == (0.0, 1, 2)
    nobody = to_gold(model({"z": [1]}), KNOWN, "rouge_l")
    assert nobody.value is nobody.bound_high is None
    assert to_gold(model({"a": [1]}), [], "rouge_l").value is None


def test_logarithms_are_held_against_gold_as_well():
    """log R of e against 1 for both persons: one above, no spread; golds agree on 0."""
    agreed = [gold(n, {"a": [1.0], "b": [1.0]}) for n in range(3)]
    told = Told(name="m", likelihoods=with_ratios({"a": [math.e], "b": [math.e]}))
    found = to_gold(told, agreed, "truth_ratio")
    assert found.value == pytest.approx(1.0) and found.as_gold is False
    assert found.bound_low is None
    with pytest.raises(UserError, match="unknown measure"):
        to_gold(told, agreed, "ks")


def asked(text: float | None, image: float | None, n: int = 8) -> list:
    return [
        row
        for modality, value in (("text", text), ("image", image))
        for row in with_matches({f"p{i}": [value] for i in range(n)}, modality=modality)
    ]


def test_what_was_forgotten_in_pictures_and_is_still_told_in_text():
    """Images 1 -> 0, text 1 -> 1: all that was forgotten is still there. The reverse is as large on
    the other side; forgotten alike is no leak, whatever the level."""
    base = Told(name="original", matches=asked(1.0, 1.0))
    leaking = Told(name="m", matches=asked(1.0, 0.0))
    found = leak(leaking, base, "rouge_l", trained="image", asked="text")
    assert (found.value, found.n_persons) == (1.0, 8)
    assert found.low < 1.0 <= found.high <= 2.0
    assert found.lowered == 1.0, "that it forgot where it was trained"
    reverse = leak(leaking, base, "rouge_l", trained="text", asked="image")
    assert reverse.value == -1.0 and reverse.lowered == 0.0
    alike = Told(name="m", matches=asked(0.5, 0.0))
    uneven = Told(name="original", matches=asked(1.0, 0.5))
    assert leak(alike, uneven, "rouge_l", trained="image", asked="text").value == 0.0


def test_a_leak_of_what_was_not_scored_is_none():
    base = Told(name="original", matches=asked(1.0, 1.0))
    found = leak(
        Told(name="m", matches=asked(None, 0.0)), base, "rouge_l", trained="image", asked="text"
    )
    assert found.value is None and (found.n_persons, found.n_unscored) == (0, 8)


def test_leaks_that_mean_nothing_are_one_line():
    told = Told(name="m")
    with pytest.raises(UserError, match="no leak of 'truth_ratio': it is taken of rates"):
        leak(told, told, "truth_ratio", trained="image", asked="text")
    with pytest.raises(UserError, match="no leak from 'text' into itself"):
        leak(told, told, "rouge_l", trained="text", asked="text")
