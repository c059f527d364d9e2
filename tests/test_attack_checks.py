"""`check attack`: every attack keeps the contract, and one that breaks it is caught by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.checks.attacks import NAMES, check_attack
from benchmark.checks.workbench import Workbench
from benchmark.cli import main
from benchmark.core import registry
from benchmark.core.errors import UserError

GOOD = '''"""One step up, for a test. Source: none. Differs from the paper: there is none."""
from __future__ import annotations
from benchmark.attacks._search import AnswerSearch, AnswerSearchConfig, first_pictures, one_step
from benchmark.attacks._search import words_loss
from dataclasses import dataclass

@dataclass(frozen=True, kw_only=True)
class Config(AnswerSearchConfig):
    pass

class Up(AnswerSearch[Config]):
    family = "image"

    def search(self, target, starts, aims):
        found = one_step(words_loss(target, starts, aims), first_pictures(target, starts), eps=EPS)
        return found

ATTACK = Up
'''
BROKEN = {
    "source": ("Differs from the paper: there is none.", ""),
    "within": ("eps=EPS", "eps=self.config.eps + 1"),
    "clean": (
        "        return found",
        "        target._model.hf.lm_head.weight.data += 1\n        return found",
    ),
    "repeats": (
        "        return found",
        "        import dataclasses, torch\n"
        "        moved = found.pixels_BCHW + torch.randint(0, 10**6, (1,))\n"
        "        return dataclasses.replace(found, pixels_BCHW=moved)",
    ),
    "stable": (
        "    def search(",
        "    def sample(self, behaviour, **given):\n"
        "        import dataclasses\n"
        "        made = super().sample(behaviour, **given)\n"
        "        return dataclasses.replace(made, id=behaviour.id)\n\n"
        "    def search(",
    ),
    "question": (
        "    def search(",
        "    def question(self, behaviour, **given):\n"
        "        import dataclasses\n"
        "        return dataclasses.replace(behaviour, purpose='comprehension')\n\n"
        "    def search(",
    ),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Workbench:
    return Workbench(tmp_path_factory.mktemp("check"), names=[])


@pytest.mark.parametrize("name", sorted(registry.entries("attack")))
def test_every_attack_keeps_the_contract(name: str, bench: Workbench) -> None:
    found = {one.check: one for one in check_attack(name, bench)}
    assert tuple(found) == NAMES
    wrong = [f"{one.check}: {one.seen}" for one in found.values() if not one.is_well]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("check", sorted(BROKEN))
def test_each_check_catches_what_it_is_for(check: str, bench: Workbench, tmp_path: Path) -> None:
    old, new = BROKEN[check]
    assert old in GOOD
    path = tmp_path / "up.py"
    path.write_text(GOOD.replace(old, new).replace("EPS", "self.config.eps"))
    (outcome,) = check_attack(str(path), bench, only=[check])
    assert outcome.status == "failed", outcome
    assert outcome.expected and outcome.seen and outcome.remedy


def test_the_command_checks_attacks_and_says_what_is_unknown(capsys) -> None:
    assert main(["check", "attack", "direct", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {one["check"] for one in said} == set(NAMES)
    assert main(["check", "attack", "derect"]) == 2
    assert "did you mean 'direct'?" in capsys.readouterr().err
    with pytest.raises(UserError, match="check 'twins'"):
        list(check_attack("direct", Workbench(Path("."), names=[]), only=["twins"]))
