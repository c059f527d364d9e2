"""Log-probabilities of given answers: by the shared loss, by a fixed plan, with hooks as served."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from live_models import sample, untrained

from benchmark.api import Respond, RewriteRequest, RewriteVisualTokens
from benchmark.core.errors import UserError
from benchmark.core.forgetting import (
    AnswerLikelihood,
    Likelihood,
    LikelihoodRow,
    Match,
    PersonQuestion,
    likelihood_row,
    match_row,
)
from benchmark.core.samples import Answers, Sample
from benchmark.data.images import ImageStore
from benchmark.likelihoods.given import GivenAnswers
from benchmark.scoring.forgetting.figures import figure
from benchmark.scoring.forgetting.measures import Told
from benchmark.tables.forgetting.rows import (
    LIKELIHOODS,
    MATCHES,
    likelihoods_path,
    matches_path,
)
from benchmark.testbed.images import blank
from benchmark.training.losses import answer_logprob
from benchmark.vlm.model import VisionLanguageModel

NAMES = ("zerupa", "ditupu", "divumi", "pokara", "tugemi")
GIVEN = Answers(
    references=("it is red.",),
    paraphrases=("red.", "the cloth is red."),
    perturbed=("it is blue.", "it is green.", "it is a very large round table."),
)


@cache
def model() -> VisionLanguageModel:
    return untrained()


def question(name: str, **changes) -> Sample:
    return replace(sample(name), answers=GIVEN, **changes)


def pictured(folder: Path, name: str = "zerupa") -> Sample:
    picture = ImageStore(folder).put(blank(random.Random(0)).pixels_HWC)
    return replace(sample(name, images=(picture,)), answers=GIVEN)


def measured(one: Sample, **kwargs) -> Likelihood:
    (found,) = GivenAnswers(model(), **kwargs).measure([one])
    return found


def test_tokens_and_sums_are_those_of_the_shared_loss():
    one = question("zerupa")
    found = measured(one)
    assert len(found.right) == len(model().encoder.answer("it is red."))
    assert (len(found.paraphrases), len(found.wrong), found.unscored) == (2, 3, None)
    with torch.inference_mode():
        for text, sums in (
            ("it is red.", sum(found.right)),
            ("red.", found.paraphrases[0].nats),
            ("it is a very large round table.", found.wrong[2].nats),
        ):
            alone = answer_logprob(model(), model().view([one], [text]))
            assert sums == pytest.approx(alone.item(), abs=1e-3)
    assert found.wrong[2].n_tokens == len(model().encoder.answer(GIVEN.perturbed[2]))


def test_a_resumed_pass_is_an_undisturbed_one():
    samples = [question(name) for name in NAMES]
    whole = GivenAnswers(model(), rows_at_once=4)
    plan = whole.plan(samples, batch_size=2)
    undisturbed = list(whole.measures(plan))
    resumed = GivenAnswers(untrained(), rows_at_once=4)
    assert resumed.plan(list(reversed(samples)), batch_size=2) == plan
    assert list(resumed.measures(plan[1:])) == undisturbed[1:]
    assert [[one.sample_id for one in batch] for batch in undisturbed] == [
        [one.id for one in batch] for batch in plan
    ]


def test_where_memory_runs_out_fewer_answers_go_through_together(monkeypatch):
    samples = [question(name) for name in NAMES]
    roomy = GivenAnswers(model()).measure(samples)
    logits, together = VisionLanguageModel.answer_logits, []

    def cramped(self, view):
        together.append(len(view.samples))
        if len(view.samples) > 4:
            raise torch.OutOfMemoryError("no room")
        return logits(self, view)

    monkeypatch.setattr(VisionLanguageModel, "answer_logits", cramped)
    found = GivenAnswers(model()).measure(samples)
    assert together[0] == 30 and sum(n for n in together if n <= 4) == 30
    for one, other in zip(found, roomy, strict=True):
        assert one.sample_id == other.sample_id and one.unscored is None
        assert one.right == pytest.approx(other.right, abs=1e-4)
    monkeypatch.setattr(
        VisionLanguageModel, "answer_logits",
        lambda self, view: (_ for _ in ()).throw(torch.OutOfMemoryError("no room")),
    )  # fmt: skip
    with pytest.raises(torch.OutOfMemoryError):
        GivenAnswers(model()).measure(samples)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (replace(GIVEN, references=("",)), "empty_answer"),
        (replace(GIVEN, references=(" \n",)), "empty_answer"),
        (replace(GIVEN, perturbed=("it is blue.", "")), "empty_answer"),
        (replace(GIVEN, references=()), "no_right_answer"),
        (replace(GIVEN, paraphrases=("\u4f60\u597d",)), "unknown_words"),
    ],
)
def test_an_answer_that_is_none_is_a_reason_and_spoils_no_other_question(answers, reason):
    bad, good = replace(question("zerupa"), answers=answers), question("ditupu")
    first, second = GivenAnswers(model()).measure([bad, good])
    assert (first.unscored, first.right, first.wrong) == (reason, (), ())
    assert second.unscored is None


def test_without_paraphrases_or_wrong_answers_the_right_one_is_measured_alone():
    alone = measured(replace(question("zerupa"), answers=Answers(references=GIVEN.references)))
    assert alone.right and alone.paraphrases == alone.wrong == ()


class Politely(RewriteRequest):
    def rewrite_request(self, sample):
        return replace(sample, prompt=f"please tell me. {sample.prompt}")


class Darkly(RewriteVisualTokens):
    """Dims what is seen, and remembers what it was shown."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.shown: list = []

    def rewrite_visual_tokens(self, model, view, tokens_IND):
        self.shown.append(view)
        return self.share * tokens_IND


class Silently(Respond):
    asks_model = False

    def respond(self, generate, requests):
        raise AssertionError("no answer is wanted")


def test_a_request_is_measured_as_a_hook_has_it_asked():
    one = question("zerupa")
    reworded = replace(one, prompt=f"please tell me. {one.prompt}")
    assert measured(one, hooks=(Politely(),)) == measured(reworded) != measured(one)


def test_visual_tokens_are_rewritten_for_the_request_alone(tmp_path):
    one, as_it_is, dark = pictured(tmp_path), Darkly(1.0), Darkly(0.0)
    assert measured(one, hooks=(as_it_is,)) == measured(one)
    assert measured(one, hooks=(dark,)).right != measured(one).right
    for view in (*as_it_is.shown, *dark.shown):
        assert view.answers is None and not view.answer_mask_BT.any()
        assert all(shown.answers == Answers() for shown in view.samples)
    text = question("ditupu")
    assert measured(text, hooks=(Darkly(0.0),)) == measured(text)


def test_where_a_hook_responds_no_answer_is_the_models():
    given = GivenAnswers(model(), hooks=(Silently(),))
    given.prime([question("zerupa")])
    (found,) = given.measure([question("zerupa")])
    assert found.unscored == "hook_responds"


def test_a_lost_image_costs_its_own_question(tmp_path):
    lost, there = pictured(tmp_path), question("ditupu")
    lost.images[0].path.unlink()
    given = GivenAnswers(model())
    given.prime([lost, there])
    found = given.measure([lost, there])
    assert [one.unscored for one in found] == ["image_missing", None]


def test_weights_that_are_no_numbers_give_none():
    broken = untrained()
    with torch.no_grad():
        broken.roles.head.weight.fill_(float("nan"))
    (found,) = GivenAnswers(broken).measure([question("zerupa")])
    assert found.unscored == "not_finite"


ABOUT = PersonQuestion(
    sample_id="persons/forget/p1+job.0", person="p1", fact="job", wording=0, card="persons",
    split="forget", group="forget", modality="image_text",
)  # fmt: skip
LIKELY = Likelihood(
    sample_id=ABOUT.sample_id,
    right=(-0.1, -2.25, -1 / 3),
    paraphrases=(AnswerLikelihood(nats=-3.1, n_tokens=4),),
    wrong=(AnswerLikelihood(nats=-9.7, n_tokens=5), AnswerLikelihood(nats=-8.0, n_tokens=3)),
)


def test_what_is_measured_makes_figures():
    """An untrained model takes right and wrong answers for as likely, within its noise."""
    found = measured(question("zerupa"))
    row = likelihood_row(ABOUT.model_copy(update={"sample_id": found.sample_id}), found)
    told = Told(name="untrained", likelihoods=[row])
    assert abs(figure(told, "truth_ratio").value) < 1.0
    assert figure(told, "answer_probability").value == pytest.approx(
        math.exp(sum(found.right) / len(found.right))
    )


def test_rows_are_kept_beside_a_record_to_the_last_digit(tmp_path):
    record = tmp_path / "0.json"
    rows = [
        likelihood_row(ABOUT, LIKELY),
        likelihood_row(ABOUT, Likelihood(sample_id=ABOUT.sample_id, unscored="empty_answer")),
    ]
    LIKELIHOODS.write(likelihoods_path(record), rows)
    assert LIKELIHOODS.read(likelihoods_path(record)) == rows
    first = likelihoods_path(record).read_bytes()
    LIKELIHOODS.write(likelihoods_path(record), rows)
    assert likelihoods_path(record).read_bytes() == first
    matches = [
        match_row(ABOUT, Match(sample_id=ABOUT.sample_id, exact=1, rouge_l=0.5, rouge_l_recall=1)),
        match_row(ABOUT, Match(sample_id=ABOUT.sample_id, unscored="judge_timeout")),
    ]
    MATCHES.write(matches_path(record), matches)
    assert MATCHES.read(matches_path(record)) == matches


def test_a_damaged_table_is_one_line_that_names_it(tmp_path):
    path = tmp_path / "0.likelihoods.csv.gz"
    with pytest.raises(UserError, match=r"0.likelihoods.csv.gz: the likelihood table is missing"):
        LIKELIHOODS.read(path)
    LIKELIHOODS.write(path, [likelihood_row(ABOUT, LIKELY)])
    with pytest.raises(UserError, match="corrupt table of matches: its columns are not"):
        MATCHES.read(path)
    import gzip

    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace("-9.7", "9.7").encode()))
    with pytest.raises(UserError, match="row 0, wrong.0.nats: .*less than or equal to 0"):
        LIKELIHOODS.read(path)
    path.write_bytes(gzip.compress(text.replace("[-0.1", "-0.1").encode()))
    with pytest.raises(UserError, match="corrupt likelihood table: "):
        LIKELIHOODS.read(path)


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"right": (-1.0,), "unscored": "empty_answer"},
        {"right": (0.5,)},
        {"wrong": (AnswerLikelihood(nats=-1.0, n_tokens=1),), "unscored": "not_finite"},
    ],
)
def test_a_row_has_figures_or_a_reason(figures):
    with pytest.raises(ValueError):
        LikelihoodRow.model_validate(ABOUT.model_dump() | figures)
    with pytest.raises(ValueError):
        Match(sample_id="s", exact=1.0)
