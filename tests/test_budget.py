"""A limit on device-hours: what was done is kept, and a larger limit goes on from there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from live_models import untrained_checkpoint

from benchmark.cli import main
from benchmark.core.errors import OverBudget
from benchmark.cost.budget import Budget
from benchmark.cost.ledger import Ledger, LedgerLine
from benchmark.cost.meter import Meter

SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")


def _train(*options: str, folder: Path, methods: str = "textual_unlearning+batch_size=4+steps=6"):
    return main(
        [
            "train", "--method", methods, "--suite", SUITE, "--model", str(untrained_checkpoint()),
            "--device", "cpu", "--checkpoint-every", "1000", "--results", str(folder),
            "--jobs", "1", "--json", *options,
        ]
    )  # fmt: skip


def _line(sign: str, device_s: float) -> LedgerLine:
    return LedgerLine.model_validate(
        {"attempt": "first", "sign": sign, "wall_s": device_s, "device_s": device_s}
    )


def test_what_earlier_attempts_took_counts_and_each_ledger_once(tmp_path):
    ledger = tmp_path / "cost.jsonl"
    for line in (_line("start", 0.0), _line("kept", 5.0), _line("failed", 7.0)):
        Ledger(ledger).add(line)
    budget = Budget(10.0)
    budget.found(ledger)
    budget.found(ledger)
    budget.check()
    budget.took(tmp_path / "other", 2.5)
    budget.took(tmp_path / "other", 3.0)
    assert budget.is_spent
    with pytest.raises(OverBudget, match="0.00278 of 0.00277778 CPU-core-hours are spent; what"):
        budget.check()
    # A stage of this ledger is not even begun.
    meter = Meter(ledger, device="cpu", budget=Budget(6.0))
    n_lines = len(ledger.read_text().splitlines())
    with pytest.raises(OverBudget), meter.running():
        raise AssertionError("it was begun")
    assert len(ledger.read_text().splitlines()) == n_lines


def _made(folder: Path) -> dict[str, Any]:
    (manifest,) = folder.glob("local/stages/train/*/manifest.json")
    return json.loads(manifest.read_text())


def test_a_training_stops_with_a_checkpoint_and_goes_on(tmp_path, capsys):
    assert _train(folder=tmp_path / "whole") == 0
    whole = _made(tmp_path / "whole")
    capsys.readouterr()

    folder = tmp_path / "stopped"
    assert _train("--max-gpu-hours", "0.00001", folder=folder) == 4
    said = capsys.readouterr()
    (stopped,) = json.loads(said.out)["runs"]
    assert (stopped["status"], stopped["failed_stage"]) == ("over_budget", "train")
    assert "of 1e-05 CPU-core-hours are spent" in said.err and said.err.count("error: ") == 1
    (checkpoint,) = folder.rglob("*.checkpoint*")
    assert checkpoint.stat().st_size > 0
    (record,) = folder.rglob("0.over_budget.json")
    assert json.loads(record.read_text())["cost"]["stages"]["train"]["device_s"] > 0.036

    # The same limit does nothing more.
    (ledger,) = folder.glob("local/stages/train/*/cost.jsonl")
    before = ledger.read_text()
    assert _train("--max-gpu-hours", "0.00001", folder=folder) == 4
    assert ledger.read_text() == before

    assert _train("--max-gpu-hours", "1", folder=folder) == 0
    made = _made(folder)
    assert made["training"].pop("resumed_at_steps") not in ([], [0]), "it went on"
    assert whole["training"].pop("resumed_at_steps") == []
    assert made["training"] == whole["training"] and made["files"] == whole["files"]
    assert not list(folder.rglob("*.checkpoint*"))


def test_answers_are_kept_when_the_limit_is_reached_among_them(tmp_path):
    """Each batch is on disk before the limit is looked at."""
    ledger = tmp_path / "cost.jsonl"
    kept: list[int] = []
    meter = Meter(ledger, device="cpu", budget=Budget(1e-9))

    def answer() -> None:
        with meter.running():
            for batch in range(9):
                # As long as the clock of a processor needs to notice.
                kept.append(sum(range(batch, 2_000_000)))
                meter.beat()

    with pytest.raises(OverBudget):
        answer()
    assert 1 <= len(kept) < 9
    signs = [json.loads(line)["sign"] for line in ledger.read_text().splitlines()]
    assert (signs.count("kept"), signs[-1]) == (len(kept), "failed")
    assert Ledger(ledger).totals().device_s > 0


def test_runs_whose_turn_comes_too_late_are_not_begun(tmp_path, capsys):
    methods = "textual_sft+batch_size=4+steps=4,npo+batch_size=4+steps=4"
    assert _train("--max-gpu-hours", "0.00001", folder=tmp_path, methods=methods) == 4
    said = capsys.readouterr()
    assert [one["status"] for one in json.loads(said.out)["runs"]] == ["over_budget", "not_begun"]
    assert "not begun: npo+batch_size=4+steps=4 on " in said.err


@pytest.mark.parametrize("hours", ["0", "-1", "nan"])
def test_a_limit_that_is_none(refused, hours):
    refused("command lines", ["run", "--method", "npo", "--max-gpu-hours", hours], names=hours)
