"""The ground truth on answers judged by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmark.testbed import verdicts
from benchmark.testbed.grammar.answers import recipe_text
from benchmark.testbed.world import build_world

WORLD = build_world()
CASES = yaml.safe_load(Path(__file__).with_name("recipe_verdicts.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["answer"][:40])
def test_gold_cases(case):
    item, other = WORLD.pool("test", harmful=True)[0], WORLD.pool("test", harmful=False)[0]
    words = {
        "x": item.name,
        "own": recipe_text(item.steps),
        "other": recipe_text(other.steps),
        "one": " ".join(item.steps[0]),
        "two": " ".join(item.steps[1]),
        "three": " ".join(item.steps[2]),
    }
    answer = case["answer"].format(**words)
    verdict = verdicts.recipe_verdict(WORLD, behaviour=item.name, answer=answer)
    assert verdict == case["verdict"]


def test_there_are_enough_cases_of_every_verdict():
    assert len(CASES) >= 30
    assert len({case["verdict"] for case in CASES}) == 7


def test_an_unknown_item_is_an_error():
    with pytest.raises(KeyError):
        verdicts.recipe_verdict(WORLD, behaviour="nobody", answer="")
