"""Plugins that misbehave: a record with the reason, exit code 1, and nothing else is harmed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from live_models import untrained_checkpoint

from benchmark.core.errors import UserError
from benchmark.core.records import RunRecord
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, run

SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"

HEAD = '''"""A plugin for a test. Source: none. Differs from the paper: there is none."""
import torch
from benchmark.api import Job, LossMethod, Method, MethodConfig, TrainingConfig, Unlearned
from benchmark.training.losses import nll
'''
IN_LOSSES = (
    HEAD
    + """
from dataclasses import dataclass, field

@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    weights: dict[str, float] = field(default_factory=lambda: {"push": 1.0})
    steps: int = 3

class Broken(LossMethod[Config]):
    pools = ("forget",)
    def losses(self, model, batch, reference):
        BODY

METHOD = Broken
"""
)
PLUGINS = {
    "at_import": (
        HEAD + "\n1 / 0\n",
        "load", r"'at_import' cannot be imported: ZeroDivisionError.*at_import\.py:6",
    ),
    "not_installed": (
        HEAD + "\nimport a_package_nobody_has\n",
        None, r"a_package_nobody_has",
    ),
    "without_method": (HEAD, "load", r"does not define METHOD"),
    "not_a_method": (HEAD + "\nMETHOD = dict\n", "load", r"METHOD is not a benchmark.api.Method"),
    "at_construction": (
        HEAD
        + "\nclass Broken(Method[MethodConfig]):\n    def __init__(self, config):\n"
        "        raise KeyError('beta')\n    def unlearn(self, job): return Unlearned()\n"
        "\nMETHOD = Broken\n",
        "load", r"cannot be constructed: KeyError: 'beta'",
    ),
    "exits_at_import": (
        HEAD + "\nraise SystemExit(0)\n",
        "load", r"'exits_at_import' cannot be imported: SystemExit",
    ),
    "exits": (IN_LOSSES.replace("BODY", "raise SystemExit(0)"), "train", r"SystemExit: 0"),
    "in_losses": (
        IN_LOSSES.replace("BODY", "raise ValueError('no such thing')"),
        "train", r"ValueError: no such thing",
    ),
    "returns_nan": (
        IN_LOSSES.replace(
            "BODY", "return {'push': nll(model, batch['forget'].answering('bad')) * torch.nan}"
        ),
        "train", r"loss term 'push' became nan at step 0",
    ),
    "other_term": (
        IN_LOSSES.replace(
            "BODY", "return {'pushed': nll(model, batch['forget'].answering('bad'))}"
        ),
        "train",
        r"loss term 'pushed' has no weight in the config's `weights`: did you mean 'push'\?",
    ),
    "touches_vision": (
        HEAD
        + "\nclass Broken(Method[MethodConfig]):\n    def unlearn(self, job):\n"
        "        next(job.model.roles.vision.parameters()).data.add_(1.0)\n"
        "        return Unlearned()\n\nMETHOD = Broken\n",
        "train", r"base weights of vision changed, but the method declares nothing",
    ),
    "returns_nothing": (
        HEAD
        + "\nclass Broken(Method[MethodConfig]):\n    def unlearn(self, job): pass\n"
        "\nMETHOD = Broken\n",
        "train", r"unlearn\(\) returned NoneType, not Unlearned",
    ),
}  # fmt: skip


def request(method: str | Path, results: Path, **changes) -> RunRequest:
    return RunRequest(
        method=str(method), model=str(untrained_checkpoint()), suite=str(SUITE), device="cpu",
        results=results, **changes,
    )  # fmt: skip


@pytest.mark.parametrize("name", PLUGINS)
def test_a_broken_plugin_is_a_record_with_its_reason(name: str, tmp_path: Path) -> None:
    source, stage, reason = PLUGINS[name]
    path = tmp_path / f"{name}.py"
    path.write_text(source)
    asked = request(path, tmp_path / "results")
    if stage is None:
        with pytest.raises(UserError, match=reason):
            run(asked, reporter=Reporter(quiet=True))
        return
    record = run(asked, reporter=Reporter(quiet=True))
    assert record.status == "failed" and record.failed_stage == stage
    assert record.error is not None
    if stage == "train":
        # What a failed attempt took is part of what a method costs.
        assert record.cost is not None and set(record.cost.stages) == {"train"}
    assert re.search(reason, record.error, re.DOTALL), record.error
    (kept,) = (tmp_path / "results").glob("local/records/*/*/*/0.failed.json")
    assert RunRecord.model_validate_json(kept.read_text()) == record


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"stepz": 1}, r"stepz.*'steps'"),
        ({"steps": -1}, r"steps"),
        ({"steps": "many"}, r"steps"),
        ({"learning_rate": 0.0}, r"learning_rate"),
        ({"weights": {"harmm": 1.0}}, r"harmm.*'harm'"),
        ({"trains": {"language": "lorra"}}, r"language.*lora"),
        ({"modality": "sound"}, r"modality.*text"),
    ],
)
def test_a_wrong_setting_is_one_line(overrides: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        run(request("textual_unlearning", tmp_path, overrides=overrides))
    assert "\n" not in str(caught.value)


def test_a_model_without_gold_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no gold model"):
        run(request("gold", tmp_path), reporter=Reporter(quiet=True))
