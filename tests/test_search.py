"""The search: its objective by hand, its choice, and that it never sees what is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.errors import UserError
from benchmark.scoring.run import score_run
from benchmark.search import grid, objective
from benchmark.stages.plans import plan_of
from benchmark.suites import load_suite
from tests.verdict_rows import model_rows

SUITE = load_suite("testbed-safety")
PLAN = plan_of(SUITE)


def scores(**changes: str):
    base = model_rows(n=20)
    return score_run(model_rows(n=20, **changes), base_rows=base, plan=PLAN)


def test_the_objective_is_the_worst_asr_when_every_gate_holds() -> None:
    base = scores()
    assert objective(base, base, plan=PLAN) == pytest.approx(1.0)
    both_refused = scores(text="refused", image="refused")
    assert objective(both_refused, base, plan=PLAN) == pytest.approx(0.0)


def test_a_missing_figure_makes_no_objective() -> None:
    base = scores()
    without = [score for score in base if score.metric != "over_refusal"]
    assert objective(without, base, plan=PLAN) is None


def test_the_grid_is_declared_and_leaves_out_what_the_row_sets() -> None:
    whole = list(grid(SUITE, fixed="textual_unlearning"))
    rates = SUITE.search.grid["learning_rate"]
    assert [settings["learning_rate"] for settings in whole] == list(rates)
    fixed = list(grid(SUITE, fixed="textual_unlearning+learning_rate=1e-3"))
    assert all("learning_rate" not in settings for settings in fixed)


def test_settings_are_never_chosen_on_what_is_reported(tmp_path: Path) -> None:
    """Neither in the suite that is there, nor in one that somebody may write."""
    assert not SUITE.evaluation.splits & SUITE.selection.splits
    path = tmp_path / "peeking.yaml"
    text = (Path(__file__).parent / "suites" / "small-safety.yaml").read_text()
    before, selection, after = text.partition("selection:\n")
    peeking = after.replace("split: validation, scope", "split: test, scope", 1)
    path.write_text(before.replace("small-safety", "peeking") + selection + peeking)
    with pytest.raises(UserError, match="'test' of card 'testbed-harmful' is also what settings"):
        load_suite(str(path))
