"""Every metric that scoring can make has a card, every card is made, and directions agree."""

from __future__ import annotations

import ast
from pathlib import Path

from verdict_rows import model_rows

from benchmark.cli import main
from benchmark.core.plan import COHERENCE_METRIC, PURPOSE_OF
from benchmark.core.records import JudgeInfo
from benchmark.scoring.metrics import direction_of, metric_cards
from benchmark.scoring.plan import Plan
from benchmark.scoring.run import score_run
from benchmark.tables.metrics import page

SCORING = Path(__file__).parents[1] / "benchmark/scoring"


def named_in_code() -> set[str]:
    """What stands behind `metric=` in scoring, and the keys of its table of attack metrics."""
    found = set()
    for path in SCORING.glob("*.py"):
        # What is asked after a treatment is on no board: the page of durability says what it is.
        if path.stem == "treated":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "metric":
                found |= {one.value for one in [node.value] if isinstance(one, ast.Constant)}
    return found


def test_scoring_makes_what_cards_describe():
    cards = metric_cards()
    assert set(cards) == {*PURPOSE_OF, COHERENCE_METRIC}
    assert named_in_code() <= set(cards)


def test_directions_are_those_of_the_figures():
    info = JudgeInfo(
        name="ground_truth", identity="j", ranks=True, sensitivity=0.9, specificity=0.9,
        n_gold_harmful=10, n_gold_harmless=10,
    )  # fmt: skip
    rows = model_rows()
    scores = score_run(rows, base_rows=rows, plan=Plan(max_new_tokens=8), judges=[info])
    cards = metric_cards()
    assert scores
    for score in scores:
        assert cards[score.metric].direction == direction_of(score.lower_is_better), score.metric


def test_the_page_and_the_listing_name_all_of_them(capsys):
    text = page([])
    assert main(["list", "metrics"]) == 0
    listed = capsys.readouterr().out
    assert all(f"`{name}`" in text and name in listed for name in metric_cards())
    assert all(f"\n{name} " in listed for name in ("truth_ratio", "ks_distance", "exact_match"))
