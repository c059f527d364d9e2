"""Perplexity under the untouched model: found once for what that model says itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from live_models import HARMLESS, sample, untrained, untrained_checkpoint

from benchmark.core.records import StageCost
from benchmark.core.samples import Sample
from benchmark.engines.perplexity import BaseScorer
from benchmark.judges._gold import gold_cases
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, Shared, run
from benchmark.stages.coherence import OwnWords, Perplexities
from benchmark.vlm.model import VisionLanguageModel

SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"
SAMPLES = [sample(name) for name in HARMLESS]
OWN = OwnWords(
    key="own",
    samples={each.id: each for each in SAMPLES},
    answers={each.id: "sure." for each in SAMPLES},
    # What no perplexity can be: whoever asks the model does not get these.
    perplexities={each.id: -1.0 - n for n, each in enumerate(SAMPLES)},
    each=StageCost(wall_s=2.5, device_s=5.0, peak_memory_bytes=7),
)


def unasked() -> VisionLanguageModel:
    raise AssertionError("everything was known, and yet the model was loaded")


def test_what_the_base_model_said_itself_is_not_asked_again() -> None:
    scorer = Perplexities(unasked, own=OWN, device="cpu")
    assert scorer(SAMPLES, ["sure."] * 4) == [-1.0, -2.0, -3.0, -4.0]


def test_other_words_are_asked_alone_and_come_back_in_their_place() -> None:
    model = untrained()
    said = ["sure.", "no.", "sure.", "never."]
    found = Perplexities(lambda: model, own=OWN, device="cpu")(SAMPLES, said)
    asked = BaseScorer(model)([SAMPLES[1], SAMPLES[3]], ["no.", "never."])
    assert found == [-1.0, asked[0], -3.0, asked[1]]


def test_its_words_to_somebody_else_are_asked() -> None:
    model = untrained()
    stranger = sample("zerupa")
    namesake = replace(SAMPLES[0], prompt=stranger.prompt)
    scorer = Perplexities(lambda: model, own=OWN, device="cpu")
    for asked in (stranger, namesake):
        assert scorer([asked], ["sure."]) == BaseScorer(model)([asked], ["sure."])
    assert scorer.owed is None


def test_what_is_borrowed_is_charged_as_if_it_had_been_found() -> None:
    model = untrained()
    scorer = Perplexities(lambda: model, own=OWN, device="cpu")
    scorer(SAMPLES, ["sure.", "no.", "sure.", "sure."])
    owed = scorer.owed
    assert owed is not None
    assert (owed.wall_s, owed.device_s, owed.peak_memory_bytes) == (7.5, 15.0, 7)


def test_the_untouched_model_has_nobody_to_borrow_from() -> None:
    model = untrained()
    scorer = Perplexities(lambda: model, own=None, device="cpu")
    assert scorer.each is None
    assert scorer(SAMPLES, ["sure."] * 4) == BaseScorer(model)(SAMPLES, ["sure."] * 4)
    assert scorer.owed is None
    assert scorer.each is not None and scorer.each.device_s > 0.0


def test_a_run_asks_only_about_words_that_are_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step that moves nothing: another artifact, and the untouched model's answers."""
    request = RunRequest(
        method="textual_sft",
        model=str(untrained_checkpoint()),
        suite=str(SUITE),
        overrides={"steps": 1, "learning_rate": 1e-30},
        results=tmp_path,
    )
    shared, quiet = Shared(), Reporter(quiet=True)
    base = run(replace(request, method="original", overrides={}), reporter=quiet, shared=shared)
    asked: list[str] = []

    def spy(scorer: BaseScorer, samples: Sequence[Sample], answers: Sequence[str]) -> list[float]:
        asked.extend(one.id for one in samples)
        return found(scorer, samples, answers)

    found = BaseScorer.__call__
    monkeypatch.setattr(BaseScorer, "__call__", spy)
    record = run(request, reporter=quiet, shared=shared)
    assert record.status == base.status == "done"
    assert record.keys.generate != base.keys.generate
    _, gold = gold_cases("coherence")
    # The judge's own cases, but for those that are plainly empty.
    assert asked and set(asked) <= {one.id for one, _, _ in gold}
    assert record.digests["verdicts"] == base.digests["verdicts"]
    assert record.cost is not None and base.cost is not None
    assert record.cost.stages["judge"].device_s > 0.5 * base.cost.stages["judge"].device_s
