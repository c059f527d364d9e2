"""The search: its objective by hand, its choice, and that it never sees what is reported."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmark.core.errors import UserError
from benchmark.data.images import ImageStore
from benchmark.progress import Reporter
from benchmark.runner import RunRequest
from benchmark.scoring.run import score_run
from benchmark.search import Found, _order, grid, objective, search
from benchmark.stages import settings
from benchmark.stages.plans import plan_of
from benchmark.stages.samples import evaluation_samples
from benchmark.stages.settings import Trial
from benchmark.suites import load_suite
from tests.verdict_rows import model_rows

SUITE = load_suite("testbed-safety")
PLAN = plan_of(SUITE)
SMALL = Path(__file__).parent / "suites" / "small-safety.yaml"


def scores(**changes: str):
    base = model_rows(n=20)
    return score_run(model_rows(n=20, **changes), base_rows=base, plan=PLAN)


def test_the_objective_is_the_worst_asr_when_every_gate_holds() -> None:
    base = scores()
    assert objective(base, base, plan=PLAN) == pytest.approx(1.0)
    both_refused = scores(text="refused", image="refused")
    assert objective(both_refused, base, plan=PLAN) == pytest.approx(0.0)


def tried(rate: float, *, worst: float, text: float, short: float = 0.0) -> Trial:
    return Trial(
        settings={"learning_rate": rate}, status="done", error=None, objective=worst + short,
        worst_asr=worst, text_asr=text, image_asr=worst, device_s=1.0,
    )  # fmt: skip


def test_a_setting_that_fails_a_gate_is_chosen_only_where_all_do() -> None:
    collapsed = tried(1e-2, worst=0.0, text=0.0, short=0.3)
    sound = tried(1e-4, worst=0.8, text=0.5)
    assert min([collapsed, sound], key=_order) == sound
    worse = tried(1e-1, worst=0.0, text=0.0, short=0.4)
    assert min([worse, collapsed], key=_order) == collapsed


def test_of_settings_with_the_same_worst_family_the_one_that_helps_another_is_chosen() -> None:
    """Text-only training often leaves image-borne ASR, the worst, exactly where it was."""
    idle, helps = tried(1e-5, worst=0.8, text=0.7), tried(1e-4, worst=0.8, text=0.1)
    assert min([idle, helps], key=_order) == helps
    again = tried(3e-4, worst=0.8, text=0.1)
    assert min([helps, again], key=_order) == helps, "of equals the first"


def test_a_missing_figure_makes_no_objective() -> None:
    base = scores()
    without = [score for score in base if score.metric != "over_refusal"]
    assert objective(without, base, plan=PLAN) is None


def test_the_grid_is_declared_and_leaves_out_what_the_row_sets() -> None:
    whole = list(grid(SUITE.search.grid, fixed="textual_unlearning"))
    rates = SUITE.search.grid["learning_rate"]
    assert [settings["learning_rate"] for settings in whole] == list(rates)
    fixed = list(grid(SUITE.search.grid, fixed="textual_unlearning+learning_rate=1e-3"))
    assert all("learning_rate" not in settings for settings in fixed)


def test_a_name_with_a_dot_is_a_setting_within_a_setting() -> None:
    values = {"weights.harm": (0.5, 1.0), "weights.keep": (2.0,)}
    assert list(grid(values, fixed="m")) == [
        {"weights": {"harm": 0.5, "keep": 2.0}},
        {"weights": {"harm": 1.0, "keep": 2.0}},
    ]
    assert list(grid(values, fixed="m+weights.harm=3")) == [{"weights": {"keep": 2.0}}]


def test_the_budget_of_a_trial_is_eight_times_two_hundred_answers(tmp_path: Path) -> None:
    """Half decades from 1e-5 to 3e-2, and every figure of the objective on 200 answers."""
    assert (SUITE.search.n_trials, len(list(grid(SUITE.search.grid, fixed="m")))) == (8, 8)
    asked = evaluation_samples(SUITE.selection, images=ImageStore(tmp_path), limit=None)
    counts = Counter(sample.purpose for sample in asked)
    assert counts == {
        "attack": 48, "comprehension": 32, "twin": 30, "over_refusal": 24, "utility": 66,
    }  # fmt: skip
    assert sum(counts.values()) == 200


def test_a_suite_cannot_declare_more_than_its_own_budget(tmp_path: Path) -> None:
    text = SMALL.read_text().replace("seed: 100", "seed: 100\n  n_trials: 1")
    path = tmp_path / "greedy.yaml"
    path.write_text(text.replace("small-safety", "greedy"))
    with pytest.raises(UserError, match="grid: 2 settings, and n_trials is 1"):
        load_suite(str(path))


OWN_GRID = """
from dataclasses import dataclass

from benchmark.api import Method, MethodConfig, Respond, Unlearned


@dataclass(frozen=True, kw_only=True)
class Settings(MethodConfig):
    words: str = "sorry."


@dataclass(frozen=True)
class Say(Respond):
    asks_model = False
    words: str

    def respond(self, generate, requests):
        return [self.words] * len(requests)


class Parrot(Method[Settings]):
    grid = GRID

    def unlearn(self, job):
        return Unlearned()

    def hooks(self, state):
        return (Say(self.config.words),)


METHOD = Parrot
"""


def parrot(folder: Path, grid_: dict[str, tuple[str, ...]]) -> str:
    path = folder / "parrot.py"
    path.write_text(OWN_GRID.replace("GRID", repr(grid_)))
    return str(path)


def request(method: str, results: Path) -> RunRequest:
    """On the small suite, with room to say a whole recipe: else nothing completes a twin."""
    suite = results / "small-safety.yaml"
    suite.write_text(SMALL.read_text().replace("max_new_tokens: 6", "max_new_tokens: 32"))
    return RunRequest(method=method, suite=str(suite), results=results)


def test_a_method_without_training_is_tried_on_its_own_grid(tmp_path: Path, monkeypatch) -> None:
    """Refusing everything fails the gates, and saying nothing sensible fails more of them."""
    monkeypatch.setattr(settings, "FOLDER", tmp_path / "chosen")
    method = parrot(tmp_path, {"words": ("bo bo bo bo", "sorry, i can not help with that.")})
    found: list[Found] = []
    search([request(method, tmp_path)], reporter=Reporter(quiet=True), found=found.append)
    (one,) = found
    assert one.error is None
    assert one.chosen is not None
    assert [trial.status for trial in one.chosen.trials] == ["done", "done"]
    assert (one.chosen.selection.n_trials, one.chosen.budget) == (2, 8)
    assert all(trial.device_s > 0 for trial in one.chosen.trials)
    objectives = [trial.objective for trial in one.chosen.trials]
    assert None not in objectives
    best = min(range(2), key=lambda at: objectives[at] or 0.0)
    assert one.chosen.settings == one.chosen.trials[best].settings
    assert (tmp_path / "chosen" / "small-safety" / "testbed-llava" / "parrot.json").exists()
    assert not list(tmp_path.glob("local/records/*/*/parrot/*")), "trials are no results"


def test_more_than_the_budget_and_nothing_to_choose_are_one_line(tmp_path: Path) -> None:
    greedy = parrot(tmp_path, {"words": tuple("abcdefghi")})
    with pytest.raises(UserError, match="grid of 9 settings, and suite 'small-safety' allows 8"):
        search([request(greedy, tmp_path)], reporter=Reporter(quiet=True), found=print)
    with pytest.raises(UserError, match="method 'original' has no settings to choose"):
        search([request("original", tmp_path)], reporter=Reporter(quiet=True), found=print)


def test_a_misspelt_setting_of_a_grid_shows_before_any_trial(tmp_path: Path) -> None:
    method = parrot(tmp_path, {"word": ("a",)})
    with pytest.raises(UserError, match="word"):
        search([request(method, tmp_path)], reporter=Reporter(quiet=True), found=print)
    assert not (tmp_path / "local").exists()


def test_settings_are_never_chosen_on_what_is_reported(tmp_path: Path) -> None:
    """Neither in the suite that is there, nor in one that somebody may write."""
    assert not SUITE.evaluation.splits & SUITE.selection.splits
    path = tmp_path / "peeking.yaml"
    text = SMALL.read_text()
    before, selection, after = text.partition("selection:\n")
    peeking = after.replace("split: validation, scope", "split: test, scope", 1)
    path.write_text(before.replace("small-safety", "peeking") + selection + peeking)
    with pytest.raises(UserError, match="'test' of card 'testbed-harmful' is also what settings"):
        load_suite(str(path))
