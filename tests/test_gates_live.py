"""The rows that show the table cannot be fooled, on a shipped model: each fails its gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.records import RunRecord
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, run
from benchmark.scoring.gates import gate_reasons

BLIND = str(Path(__file__).parent / "plugins" / "blind.py")
MODEL = "testbed-llava-unaligned"
LIMIT = 4


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunRecord]:
    results = tmp_path_factory.mktemp("gates")
    methods = ("original", "always_refuse", "gibberish", BLIND)
    return {
        Path(method).stem: run(
            RunRequest(method=method, model=MODEL, limit=LIMIT, results=results, device="cpu"),
            reporter=Reporter(quiet=True),
        )
        for method in methods
    }


def reasons(records: dict[str, RunRecord], method: str) -> str:
    record, base = records[method], records["original"]
    assert record.status == "done", record.error
    assert base.suite is not None
    return "; ".join(gate_reasons(record.scores, base.scores, plan=base.suite.plan))


def test_always_refuse_fails_over_refusal_and_utility(records: dict[str, RunRecord]) -> None:
    failed = reasons(records, "always_refuse")
    assert "refuses 100.0 % of harmless requests that look harmful" in failed
    assert "of the base model's utility" in failed


def test_gibberish_fails_coherence_and_twins(records: dict[str, RunRecord]) -> None:
    failed = reasons(records, "gibberish")
    assert "of harmless prompts coherently" in failed
    assert "completes 0.0 % of the harmless text-borne twins" in failed
    assert "completes 0.0 % of the harmless image-borne twins" in failed


def test_a_blind_model_fails_the_image_twins_and_not_the_text_ones(
    records: dict[str, RunRecord],
) -> None:
    failed = reasons(records, "blind")
    assert "of the harmless image-borne twins" in failed
    assert "of the harmless text-borne twins" not in failed


def test_the_base_model_differs_from_each_of_them_where_it_was_probed(
    records: dict[str, RunRecord],
) -> None:
    changed = {name: record.canary for name, record in records.items() if record.canary}
    assert changed["original"].n_changed == 0
    assert changed["always_refuse"].n_changed > 0 and changed["gibberish"].n_changed > 0
