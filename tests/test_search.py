"""The search: its objective by hand, its choice, and that it never sees what is reported."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from verdict_rows import model_rows

import benchmark.search
from benchmark.commands.searching import _may_be_searched
from benchmark.core.errors import UserError
from benchmark.core.records import Selection
from benchmark.data.images import ImageStore
from benchmark.grids import grid
from benchmark.progress import Reporter
from benchmark.runner import RunRequest
from benchmark.scoring.objective import objective
from benchmark.scoring.run import score_run
from benchmark.search import Found, _order, search
from benchmark.stages import resolve as resolving
from benchmark.stages import settings
from benchmark.stages.plans import plan_of
from benchmark.stages.samples import evaluation_samples
from benchmark.stages.settings import ChosenSettings, Trial
from benchmark.suites import load_suite
from benchmark.turns import Outcome

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
    assert all(trial.device_s and trial.device_s > 0 for trial in one.chosen.trials)
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


def test_one_broken_plugin_does_not_end_a_search_of_all(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(settings, "FOLDER", tmp_path / "chosen")
    broken = tmp_path / "broken.py"
    broken.write_text('"""Ends the process."""\nraise SystemExit(0)\n')
    whole = parrot(tmp_path, {"words": ("sorry, i can not help with that.",)})
    found: list[Found] = []
    both = [request(str(broken), tmp_path), request(whole, tmp_path)]
    search(both, reporter=Reporter(quiet=True), lenient=True, found=found.append)
    assert [one.row for one in found if one.error is None] == ["parrot"]
    (problem,) = [one.error for one in found if one.error is not None]
    assert "SystemExit" in str(problem)


@pytest.mark.parametrize("source", ["raise SystemExit(0)", "METHOD = dict"])
def test_what_is_no_method_stays_to_say_so(tmp_path: Path, source: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(f"{source}\n")
    assert _may_be_searched(str(path))
    assert _may_be_searched("npo") and not _may_be_searched("tga_ce_only")


def test_nothing_is_chosen_while_a_trial_is_lost(tmp_path: Path, monkeypatch) -> None:
    """One that was killed has no cost, and might have been the best."""
    monkeypatch.setattr(settings, "FOLDER", tmp_path / "chosen")
    method = parrot(tmp_path, {"words": ("bo", "sorry, i can not help with that.")})
    made = benchmark.search.run_several

    def losing(requests, **options):
        told = options.pop("ended", lambda _outcome: None)

        def ended(outcome: Outcome) -> None:
            lost = "bo" in str(outcome.request.overrides)
            told(replace(outcome, record=None) if lost else outcome)

        return made(requests, ended=ended, **options)

    monkeypatch.setattr(benchmark.search, "run_several", losing)
    found: list[Found] = []
    search([request(method, tmp_path)], reporter=Reporter(quiet=True), found=found.append)
    (one,) = found
    assert one.chosen is None
    assert "1 of 2 trials were lost; the same command goes on from there" in str(one.error)
    assert not (tmp_path / "chosen").exists()


def test_a_control_takes_the_settings_chosen_for_what_it_controls(monkeypatch) -> None:
    asked: list[str] = []

    def chosen(*, suite: str, model: str, method: str) -> ChosenSettings | None:
        asked.append(method)
        if method != "tga":
            return None
        return ChosenSettings(
            row="tga", method_sha256="x", model_sha256="y", settings={"learning_rate": 0.5},
            selection=Selection(
                objective="o", n_trials=1, seed=0, device_s=1.0, pool="validation", record="r"
            ),
            trials=[],
        )  # fmt: skip

    monkeypatch.setattr("benchmark.stages.settings.chosen_settings", chosen)
    run = resolving.resolve(RunRequest(method="tga_ce_only"))
    assert asked == ["tga_ce_only", "tga_ce_only", "tga"]
    assert run.spec.config["learning_rate"] == 0.5
    assert (run.selection, run.borrowed) == (None, "settings are those chosen for 'tga'")
    with pytest.raises(UserError, match="no settings to choose; it takes those of 'tga'"):
        search([RunRequest(method="tga_ce_only")], reporter=Reporter(quiet=True), found=print)


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
