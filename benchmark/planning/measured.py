"""How fast runs on record were, with the same model on the same kind of device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from benchmark.core.paths import file_name
from benchmark.core.records import RunRecord
from benchmark.core.store import Results
from benchmark.scoring.rankability import RANKING_PURPOSES
from benchmark.tables.runs import read_records

ASKED = {*RANKING_PURPOSES, "comprehension"}
ABOUT_PERSONS = ("recall", "membership")


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Medians over `n_records`; None where no record tells. Device-seconds a training operation and
    token, a token that was read or said, an answer that was judged, a question about persons whose
    given answers were measured."""

    n_records: int
    s_per_train_flop: float | None
    s_per_train_token: float | None
    s_per_token: float | None
    s_per_judged: float | None
    s_per_measured: float | None


def rates_of(results: Results, *, model: str, unit: str, device_name: str, method: str) -> Rates:
    """What the records here and the published ones tell. A training is measured by those of the
    method itself, if there are any."""
    records = [
        record
        for record in _records(results, model)
        if record.cost is not None
        and (record.cost.device_unit, record.cost.device_name) == (unit, device_name)
    ]
    trained = [record for record in records if record.training is not None]
    own = [record for record in trained if record.method.name == method]
    return Rates(
        n_records=len(records),
        s_per_train_flop=_median(_of_training(one, "flops") for one in own or trained),
        s_per_train_token=_median(_of_training(one, "input_tokens") for one in own or trained),
        s_per_token=_median(map(_of_answering, records)),
        s_per_judged=_median(map(_of_judging, records)),
        s_per_measured=_median(map(_of_measuring, records)),
    )


def _records(results: Results, model: str) -> Iterator[RunRecord]:
    """Those of the model that are done, on any suite."""
    for folder in (results.local_records, results.published_records):
        for board in sorted(folder.glob(f"*/{file_name(model)}")):
            found, _ = read_records(board)
            yield from (record for _, record in found if record.status == "done")


def _of_training(record: RunRecord, per: str) -> float | None:
    assert record.cost is not None
    stage = record.cost.stages.get("train")
    amount = getattr(stage, per) if stage is not None else None
    return stage.device_s / amount if stage is not None and amount else None


def _of_answering(record: RunRecord) -> float | None:
    assert record.cost is not None
    stage = record.cost.stages.get("generate")
    if stage is None or stage.input_tokens is None or stage.output_tokens is None:
        return None
    n_tokens = stage.input_tokens + stage.output_tokens
    return stage.device_s / n_tokens if n_tokens else None


def _of_judging(record: RunRecord) -> float | None:
    assert record.cost is not None
    stage = record.cost.stages.get("judge")
    n = sum(use.n for use in record.data if use.role in ASKED)
    return stage.device_s / n if stage is not None and n else None


def _of_measuring(record: RunRecord) -> float | None:
    """None too where a hook answered in place of the model: then no likelihood was measured."""
    assert record.cost is not None
    stages, plan = record.cost.stages, record.suite.plan if record.suite else None
    measured = stages.get("likelihood")
    if measured is None or plan is None or not stages["generate"].output_tokens:
        return None
    n = sum(
        use.n
        for use in record.data
        if use.role in ABOUT_PERSONS and plan.persons[f"{use.card}/{use.split}"].likelihoods
    )
    return measured.device_s / n if n else None


def _median(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
