"""Perplexity under the untouched model: found once for what that model says itself."""

from __future__ import annotations

import pytest
from live_models import HARMLESS, sample, untrained

from benchmark.core.records import StageCost
from benchmark.engines.perplexity import BaseScorer
from benchmark.stages.coherence import OwnWords, Perplexities
from benchmark.vlm.model import VisionLanguageModel

SAMPLES = [sample(name) for name in HARMLESS]
OWN = OwnWords(
    answers={each.id: "sure." for each in SAMPLES},
    # What no perplexity can be: whoever asks the model does not get these.
    perplexities={each.id: -1.0 - n for n, each in enumerate(SAMPLES)},
    cost=StageCost(wall_s=10.0, device_s=20.0),
)


def unasked() -> VisionLanguageModel:
    raise AssertionError("everything was known, and yet the model was loaded")


def test_what_the_base_model_said_itself_is_not_asked_again() -> None:
    scorer = Perplexities(unasked, own=OWN)
    assert scorer(SAMPLES, ["sure."] * 4) == [-1.0, -2.0, -3.0, -4.0]


def test_other_words_are_asked_alone_and_come_back_in_their_place() -> None:
    model = untrained()
    said = ["sure.", "no.", "sure.", "never."]
    found = Perplexities(lambda: model, own=OWN)(SAMPLES, said)
    asked = BaseScorer(model)([SAMPLES[1], SAMPLES[3]], ["no.", "never."])
    assert found == [-1.0, asked[0], -3.0, asked[1]]


def test_its_words_to_somebody_else_are_asked() -> None:
    model = untrained()
    stranger = sample("zerupa")
    scorer = Perplexities(lambda: model, own=OWN)
    assert scorer([stranger], ["sure."]) == BaseScorer(model)([stranger], ["sure."])
    assert scorer.owed.device_s == 0.0


def test_what_is_borrowed_is_charged_as_if_it_had_been_found() -> None:
    model = untrained()
    scorer = Perplexities(lambda: model, own=OWN)
    scorer(SAMPLES, ["sure.", "no.", "sure.", "sure."])
    # Three of the four that took 10 s and 20 core-seconds in all.
    assert scorer.owed.wall_s == pytest.approx(7.5)
    assert scorer.owed.device_s == pytest.approx(15.0)


def test_the_untouched_model_has_nobody_to_borrow_from() -> None:
    model = untrained()
    scorer = Perplexities(lambda: model, own=None)
    assert scorer(SAMPLES, ["sure."] * 4) == BaseScorer(model)(SAMPLES, ["sure."] * 4)
    assert scorer.owed.wall_s == 0.0
