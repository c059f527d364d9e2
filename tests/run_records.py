"""Run records made by hand, for the tests of tables and publishing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.core.records import (
    Canary,
    Cost,
    DataUse,
    Git,
    JudgeInfo,
    Keys,
    Leaks,
    MethodInfo,
    RunRecord,
    RunSpec,
    StageCost,
    SuiteFacts,
    System,
    TrainingLog,
    VerdictRow,
)
from benchmark.core.store import Results, write_atomic
from benchmark.stages.plans import facts_of
from benchmark.suites import load_suite
from benchmark.tables.runs import LoadedRun
from benchmark.tables.verdicts import verdicts_digest, verdicts_path, write_verdicts

SUITE, MODEL, TOKENS = "testbed-safety", "testbed-llava", 32
DEVICE = "one small processor"


@cache
def _facts() -> SuiteFacts:
    return facts_of(load_suite(SUITE))


def record(
    method: str,
    rows: Sequence[VerdictRow] = (),
    *,
    seed: int = 0,
    limit: int | None = None,
    reference: bool = False,
    training_s: float = 7.0,
    **changes: Any,
) -> RunRecord:
    """A record that may be ranked as far as one seed can tell; `changes` replace its fields."""
    made = RunRecord(
        run_id=f"{method}-{seed}-{limit}",
        status="done",
        started_at="2026-11-21T00:00:00+00:00",
        ended_at="2026-11-21T00:01:00+00:00",
        git=Git(commit="c0ffee" * 6, dirty=False),
        packages={},
        system=System(
            device="cpu", device_name=DEVICE, n_devices=1, n_cores=2, n_threads=2,
            memory_bytes=2**33, platform="Linux", python="3.11",
        ),
        spec=RunSpec(
            method=method, config={"steps": 100}, model=MODEL, suite=SUITE, seed=seed, limit=limit,
            engine="local", device="cpu", precision="float32", max_new_tokens=TOKENS,
            batch_size=64,
        ),
        suite=_facts(),
        keys=Keys(),
        method=MethodInfo(
            name=method, origin="built-in", source_sha256="0" * 64, summary="", trained_roles={},
            reference_row=reference, deterministic=reference, trainable_params=1234,
            total_params=5678, served_by=["local"], hooks=[],
        ),
        model_sha256="1" * 64,
        data=[DataUse(card="harmful", split="test", role="attack", n=60, sha256="2" * 64)],
        judges=[
            JudgeInfo(
                name="ground_truth", identity="ground_truth v1", ranks=True, sensitivity=1.0,
                specificity=1.0, n_gold_harmful=20, n_gold_harmless=27,
            )
        ],
        cost=Cost(
            device_unit="cpu-core", device_name=DEVICE, n_devices=1,
            stages={
                "train": StageCost(wall_s=4, device_s=training_s, wasted_s=1.5),
                "generate": StageCost(wall_s=2, device_s=3, from_cache=True),
            },
        ),
        training=TrainingLog(
            n_steps=100, n_answer_tokens=50, n_tokens=100, n_image_tokens=0, curves={}
        ),
        canary=Canary(n=64, n_changed=64),
        leaks=Leaks(n_declared_in_scope=64, n_undeclared=0),
        digests={"verdicts": verdicts_digest(rows)},
    )  # fmt: skip
    return made.model_copy(update=changes)


def runs(
    method: str, rows: Sequence[VerdictRow], *, n_seeds: int = 3, **facts: Any
) -> list[LoadedRun]:
    """Finished runs of one method, the same answers for every seed."""
    return [
        LoadedRun(
            record=record(method, rows, seed=seed, **facts), rows=rows, source="local",
            path=Path(f"{method}/{seed}.json"),
        )
        for seed in range(n_seeds)
    ]  # fmt: skip


def store(
    results: Results, made: RunRecord, rows: Sequence[VerdictRow], *, published: bool = False
) -> Path:
    """Put a record and its verdicts where the runner, or `publish`, would."""
    spec = made.spec
    where = {"suite": spec.suite, "model": spec.model, "method": spec.method, "seed": spec.seed}
    path = results.published(**where) if published else results.record(**where, limit=spec.limit)
    write_verdicts(verdicts_path(path), rows)
    write_atomic(path, made.model_dump_json())
    return path
