"""Does a metric measure forgetting? Models of which it is known, and the table of all metrics."""

from __future__ import annotations

import pytest
from forgetting_parts import with_matches, with_ratios

from benchmark.core.errors import UserError
from benchmark.scoring.forgetting.measures import MEASURES, Told
from benchmark.scoring.forgetting.telling import KS, TO_GOLD, telling
from benchmark.tables.forgetting.telling import telling_table


def knower(name: str, *, knows: bool, seed: int) -> Told:
    """Ten persons with two facts; what is known is likely, and answered rightly. ROUGE-L says
    nothing: it is 1 for every second person whatever is known."""
    people = [f"p{n}" for n in range(10)]
    shift = 0.01 * seed
    likelihoods = with_ratios(
        {p: [0.05 + shift + 0.01 * n, 0.1] if knows else [1.0 + shift + 0.1 * n, 1.5]
         for n, p in enumerate(people)}
    )  # fmt: skip
    matches = [
        row.model_copy(update={"rouge_l": float(int(row.person[1:]) % 2)})
        for row in with_matches({p: [float(knows), float(knows)] for p in people})
    ]
    return Told(name=name, likelihoods=likelihoods, matches=matches)


KNOWING = [knower(f"target{n}", knows=True, seed=n) for n in range(2)]
IGNORANT = [knower(f"gold{n}", knows=False, seed=n) for n in range(3)]


def test_metrics_that_measure_forgetting_and_one_at_chance():
    found = {one.metric: one for one in telling(KNOWING, IGNORANT, golds=IGNORANT)}
    assert set(found) == {*MEASURES, KS, *(TO_GOLD.format(name) for name in MEASURES)}
    for name in ("truth_ratio", "exact_match", KS, "truth_ratio to gold"):
        assert found[name].found.value == 1.0, name
        assert found[name].verdict == "tells them apart"
    assert found["rouge_l"].found.value == 0.5
    assert found["rouge_l"].verdict == "at chance, as far as these persons say"
    assert (found["exact_match"].n_knowing, found["exact_match"].n_ignorant) == (2, 3)
    assert found["exact_match"].found.n_positive == 10


def test_a_metric_that_points_the_other_way_is_not_turned_round():
    found = {one.metric: one for one in telling(IGNORANT, KNOWING)}
    assert found["truth_ratio"].found.value == 0.0
    assert found["truth_ratio"].verdict == "the wrong way round"
    assert KS not in found


def test_unscored_persons_leave_a_metric_undecided_or_unmeasured():
    gone = dict.fromkeys(("exact", "rouge_l", "rouge_l_recall")) | {"unscored": "empty_answer"}
    lost = [
        row.model_copy(update=gone) if row.person >= "p4" else row for row in IGNORANT[0].matches
    ]
    silent = Told(name="gold0", likelihoods=IGNORANT[0].likelihoods, matches=lost)
    found = {one.metric: one for one in telling(KNOWING, [silent])}
    assert found["exact_match"].found.value == 1.0
    assert found["exact_match"].verdict == "undecided: too many are unscored"
    mute = Told(name="gold0", likelihoods=IGNORANT[0].likelihoods)
    found = {one.metric: one for one in telling(KNOWING, [mute])}
    assert found["exact_match"].verdict == "not measured"
    assert found["exact_match"].found.value is None


def test_models_that_cannot_be_told_apart_are_one_line():
    with pytest.raises(UserError, match="model 'target0' cannot both have the knowledge and not"):
        telling(KNOWING, [KNOWING[0]])
    with pytest.raises(UserError, match="no model that lacks the knowledge"):
        telling(KNOWING, [])


def test_the_table_says_at_chance_and_where_nothing_was_measured():
    mute = [Told(name=told.name, likelihoods=told.likelihoods) for told in IGNORANT]
    table = telling_table(telling(KNOWING, IGNORANT))
    assert "Models: 2 with the knowledge, 3 without it." in table
    (line,) = [line for line in table.splitlines() if line.startswith("| rouge_l ")]
    assert "0.500 [" in line and "at chance" in line
    (line,) = [
        line
        for line in telling_table(telling(KNOWING, mute)).splitlines()
        if line.startswith("| exact_match ")
    ]
    assert "| n/a " in line and "not measured" in line
    assert telling_table(telling(KNOWING, IGNORANT)) == table
    assert telling_table([]) == ""
