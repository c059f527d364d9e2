"""What single questions say about knowledge, and the figures over persons that come of it."""

from __future__ import annotations

import math

import pytest
from forgetting_parts import (
    likely,
    matching,
    question,
    spoken,
    with_matches,
    with_ratio,
    with_ratios,
)
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from benchmark.core.errors import UserError
from benchmark.core.forgetting import AnswerLikelihood
from benchmark.core.samples import Answers, Sample
from benchmark.core.verdicts import Response
from benchmark.judges._references import match
from benchmark.judges._vqa import rouge_l
from benchmark.scoring.forgetting.answers import exact, match_of, rouge
from benchmark.scoring.forgetting.cards import forgetting_cards
from benchmark.scoring.forgetting.figures import figure
from benchmark.scoring.forgetting.measures import BY_LIKELIHOOD, BY_MATCH, MEASURES, Told
from benchmark.scoring.forgetting.values import (
    answer_logprob,
    answer_probability,
    min_k,
    truth_indifference,
    truth_kept,
    truth_ratio,
)
from benchmark.scoring.metrics import metric_cards

ROW = likely(
    question("p1"),
    right=(0.5, 0.25, 0.125),
    # 0.2 per token; a sum over two tokens counts no less than one over one.
    paraphrases=[spoken(0.2, n_tokens=2)],
    wrong=[spoken(0.1), spoken(0.4, n_tokens=3)],
)
PROBABILITIES = st.floats(1e-6, 1.0)


def test_truth_ratio_by_hand():
    """(0.1 + 0.4) / 2 / 0.2 = 1.25; sqrt(0.1 * 0.4) / 0.2 = 1."""
    assert truth_ratio(ROW) == pytest.approx(1.25)
    assert truth_ratio(ROW, mean="geometric") == pytest.approx(1.0)
    assert truth_kept(ROW) == 0.0
    assert truth_indifference(ROW) == pytest.approx(0.8)


def test_several_paraphrases_are_averaged_like_wrong_answers():
    """0.1 / ((0.2 + 0.8) / 2) = 0.2; 0.1 / sqrt(0.2 * 0.8) = 0.25."""
    row = likely(question("p"), paraphrases=[spoken(0.2), spoken(0.8, 4)], wrong=[spoken(0.1)])
    assert truth_ratio(row) == pytest.approx(0.2)
    assert truth_ratio(row, mean="geometric") == pytest.approx(0.25)
    assert truth_kept(row) == pytest.approx(0.8)
    assert truth_indifference(row) == pytest.approx(0.2)


@given(
    st.lists(PROBABILITIES, min_size=1, max_size=5), st.lists(PROBABILITIES, min_size=1, max_size=5)
)
def test_a_truth_ratio_is_above_zero_and_its_reports_are_shares(paraphrases, wrong):
    row = likely(
        question("p"),
        paraphrases=[spoken(p, 2) for p in paraphrases],
        wrong=[spoken(p, 3) for p in wrong],
    )
    ratio, geometric = truth_ratio(row), truth_ratio(row, mean="geometric")
    assert ratio > 0 and geometric > 0
    assert 0 <= truth_kept(row) <= 1 and 0 < truth_indifference(row) <= 1
    assert truth_kept(row) == pytest.approx(max(0.0, 1 - ratio))
    assert truth_indifference(row) == pytest.approx(min(ratio, 1 / ratio))
    if len(wrong) == len(paraphrases) == 1:
        assert ratio == pytest.approx(geometric)


def test_a_ratio_beyond_all_numbers_is_still_one():
    """e^-90000 is 0 in binary, and its inverse is infinite."""
    unlikely = AnswerLikelihood(nats=-9e4, n_tokens=1)
    low = likely(question("p"), paraphrases=[spoken(0.5)], wrong=[unlikely])
    high = likely(question("p"), paraphrases=[unlikely], wrong=[spoken(0.5)])
    assert 0 < truth_ratio(low) < truth_ratio(high) < math.inf
    assert (truth_kept(low), truth_kept(high)) == (1.0, 0.0)


def test_without_a_side_there_is_no_ratio_and_no_zero():
    assert truth_ratio(likely(question("p"), wrong=[spoken(0.1)])) is None
    assert truth_kept(likely(question("p"), paraphrases=[spoken(0.1)])) is None
    assert truth_indifference(likely(question("p"), unscored="empty_answer")) is None


def test_loss_and_min_k_by_hand():
    """Of 3 tokens ceil(0.2 * 3) = 1, the least likely; of all three the mean."""
    assert answer_logprob(ROW) == pytest.approx(math.log(0.25))
    assert answer_probability(ROW) == pytest.approx(0.25)
    assert min_k(ROW) == pytest.approx(math.log(0.125))
    assert min_k(ROW, share=1.0) == answer_logprob(ROW)
    assert min_k(ROW, share=0.5) == pytest.approx(math.log(0.125 * 0.25) / 2)


def test_an_answer_of_one_token_has_one_least_likely():
    one = likely(question("p"), right=(0.3,))
    assert (
        min_k(one) == min_k(one, share=1e-9) == answer_logprob(one) == pytest.approx(math.log(0.3))
    )


def test_min_k_of_fifteen_tokens_takes_three():
    """0.2 x 15 is 3.0000000000000004 in binary, and is not 4."""
    row = likely(question("p"), right=[0.1, 0.2, 0.3, *[0.9] * 12])
    assert min_k(row) == pytest.approx(math.log(0.1 * 0.2 * 0.3) / 3)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        min_k(ROW, share=share)


def test_nothing_measured_is_none():
    gone = likely(question("p"), unscored="image_missing")
    assert answer_logprob(gone) is answer_probability(gone) is min_k(gone) is None


WORDS = st.lists(
    st.sampled_from(["Red", "blue", "", "the.", "it", "IS", ".", "table"]), max_size=6
).map(" ".join)


@given(WORDS, st.lists(WORDS, max_size=3))
def test_answers_match_as_the_judge_of_references_and_the_library_have_it(answer, references):
    assert exact(answer, references) == match(answer, references, "exact")
    f_measure, recall = rouge(answer, references)
    assert f_measure == rouge_l(answer, references)
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    found = [scorer.score(one, answer)["rougeL"].recall for one in references]
    assert recall == max(found, default=0.0)


def test_rouge_l_by_hand():
    """`she is a baker` in `today she is a good baker there`: 4 of 7 words, and all 4."""
    f_measure, recall = rouge("today she is a good baker there", ["she is a baker"])
    assert (f_measure, recall) == (pytest.approx(2 * 4 / (7 + 4)), 1.0)


SAMPLE = Sample(
    id="s", behaviour="p1", card="c", purpose="utility", prompt="?",
    answers=Answers(references=("she is a baker.",), paraphrases=("a baker",)),
)  # fmt: skip


def said(text: str | None, error=None) -> Response:
    return Response(sample_id="s", text=text, n_prompt_tokens=1, n_answer_tokens=1, error=error)


def test_a_whole_answer_is_right_in_any_of_its_right_words():
    assert match_of(SAMPLE, said("She is a baker")).exact == 1.0
    assert match_of(SAMPLE, said("a baker.")).exact == 1.0
    wrong = match_of(SAMPLE, said("she is a baker and a judge"))
    assert (wrong.exact, wrong.rouge_l_recall, wrong.unscored) == (0.0, 1.0, None)


@pytest.mark.parametrize(
    ("response", "more", "reason"),
    [
        (said(""), {}, "empty_answer"),
        (said(" ... \n"), {}, "empty_answer"),
        (said(None, "image_missing"), {}, "image_missing"),
        (said(None, "target_error"), {}, "target_error"),
        (said("bo bo bo bo"), {"incoherent": True}, "incoherent"),
    ],
)
def test_what_says_nothing_is_not_wrong_but_unscored(response, more, reason):
    found = match_of(SAMPLE, response, **more)
    assert (found.exact, found.rouge_l, found.unscored) == (None, None, reason)


def test_a_question_without_a_right_answer_matches_nothing():
    bare = Sample(id="s", behaviour="p", card="c", purpose="utility", prompt="?")
    assert match_of(bare, said("a baker")).unscored == "no_right_answer"


def test_a_figure_averages_within_a_person_first():
    """p1: (1 + 0) / 2, p2: 1 of one fact. Over persons 0.75; over answers it would be 2/3."""
    told = Told(name="m", matches=with_matches({"p1": [1, 0], "p2": [1]}))
    found = figure(told, "rouge_l")
    assert (found.value, found.n_persons, found.n_total) == (0.75, 2, 3)
    assert (found.group, found.modality, found.unit) == ("forget", "text", "rate")
    assert found.low < 0.75 < found.high and found.bound_low is None


def test_paraphrases_of_a_question_are_averaged_before_facts():
    """Job: 1, 0, 0 in three wordings; town: 1 in one. First wordings: (1 + 1) / 2; all of them:
    (1/3 + 1) / 2."""
    rows = [
        *(matching(question("p", "job", wording=n), float(n == 2)) for n in (2, 3, 4)),
        matching(question("p", "town"), 1.0),
    ]
    told = Told(name="m", matches=rows)
    assert figure(told, "exact_match").value == 1.0
    assert figure(told, "exact_match_paraphrased").value == pytest.approx(2 / 3)


def test_the_unscored_are_counted_and_widen_bounds():
    """p1 scored 1 of 1, its other answer empty; p2 lost all: between (0.5 + 0) / 2 and 1."""
    told = Told(name="m", matches=with_matches({"p1": [1, None], "p2": [None]}))
    found = figure(told, "rouge_l")
    assert (found.value, found.bound_low, found.bound_high) == (1.0, 0.25, 1.0)
    assert (found.n_total, found.n_scored, found.n_unscored, found.n_persons) == (3, 1, 2, 1)
    assert found.unscored_reasons == {"empty_answer": 2}


@pytest.mark.parametrize("name", MEASURES)
def test_of_nothing_there_is_no_figure(name):
    empty = figure(Told(name="m"), name)
    assert (empty.value, empty.low, empty.n_total) == (None, None, 0)
    broken = Told(
        name="m",
        likelihoods=[likely(question("p"), unscored="hook_responds")],
        matches=[matching(question("p"), None)],
    )
    found = figure(broken, name)
    assert (found.value, found.low, found.high, found.n_unscored) == (None, None, None, 1)
    if found.unit == "rate":
        assert (found.bound_low, found.bound_high) == (0.0, 1.0)
    else:
        assert found.bound_low is found.bound_high is None


def test_a_question_without_wrong_answers_says_why_it_has_no_ratio():
    rows = [likely(question("p")), with_ratio(question("p", "town"), 0.5)]
    found = figure(Told(name="m", likelihoods=rows), "truth_kept")
    assert (found.value, found.unscored_reasons) == (pytest.approx(0.5), {"nothing_to_compare": 1})


def test_logarithms_have_students_interval_over_persons():
    """log R of 1, e, e^2: mean 1, half 4.3027 / sqrt(3) = 2.4842."""
    told = Told(name="m", likelihoods=with_ratios({"a": [1], "b": [math.e], "c": [math.e**2]}))
    found = figure(told, "truth_ratio")
    assert found.value == pytest.approx(1.0)
    assert found.high == pytest.approx(1 + 2.4842, abs=1e-3)
    single = figure(Told(name="m", likelihoods=with_ratios({"a": [1.0]})), "truth_ratio")
    assert (single.value, single.low, single.high) == (0.0, None, None)


def test_a_measure_that_is_none():
    with pytest.raises(UserError, match="unknown measure of forgetting 'rouge': did you mean"):
        figure(Told(name="m"), "rouge")


def test_every_metric_has_a_card_that_is_not_on_the_published_page():
    cards = forgetting_cards()
    others = {"ks_distance", "to_gold", "membership_auc", "membership_tpr", "modality_leak"}
    assert set(cards) == {*MEASURES, *others}
    assert not set(cards) & set(metric_cards())
    for name, measure in {**BY_LIKELIHOOD, **BY_MATCH}.items():
        assert cards[name].unit.startswith("rate" if measure.unit == "rate" else "nats")
    assert {card.direction for card in cards.values()} == {"none"}
