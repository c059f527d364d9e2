"""The curves of relearning, held against gold's and against the untouched model's rate."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.durability_records import (
    CurvePoint,
    DurabilityRecord,
    Part,
    Recovery,
    TreatedMetric,
    Verdict,
)
from benchmark.core.rows import split_row
from benchmark.scoring.recovery import Curve, above, half_recovery, verdict_of
from benchmark.scoring.treated import ALL, KEPT
from benchmark.tables.durability.build import Averaged, averaged, figure_in, headline_form
from benchmark.tables.durability.words import TWIN_SHARE

RELEARN = "relearn"
GOLD = "gold"
PARTS: tuple[Part, ...] = ("relearned", "not_relearned")
YARDSTICK: tuple[Verdict, str] = ("not_testable", "it is what the others are held against")


def recoveries_of(records: Sequence[DurabilityRecord], *, base: str) -> list[Recovery]:
    """Of every method, both parts and every form, for each row of `relearn` by itself; reference
    rows too. Gold's own is never held against itself."""
    done = [
        record
        for record in records
        if record.status == "done" and split_row(record.treatment)[0] == RELEARN
    ]
    found = []
    for treatment in dict.fromkeys(record.treatment for record in done):
        mine = [record for record in done if record.treatment == treatment]
        for method in dict.fromkeys(record.method for record in mine):
            forms = (ALL, *dict.fromkeys(form for record in mine for form in record.forms))
            found += [
                _recovery(mine, method, part, form, base=base) for part in PARTS for form in forms
            ]
    return found


def curve_of(
    records: Sequence[DurabilityRecord],
    method: str,
    part: Part,
    form: str,
    *,
    metric: TreatedMetric | None = None,
) -> dict[int, Averaged] | None:
    """Step -> what is measured, or another metric, the seeds averaged; None for a method without
    one."""
    metric = metric or records[0].measure
    states = [state for record in records if record.method == method for state in record.states]
    found = {}
    for step in sorted({state.step for state in states if state.step is not None}):
        figures = [
            figure
            for state in states
            if state.step == step
            and (figure := figure_in(state, metric, part=part, form=form)) is not None
        ]
        if (mean := averaged(figures)) is not None:
            found[step] = mean
    return found or None


def _rates(curve: dict[int, Averaged] | None) -> Curve | None:
    return None if curve is None else {step: at.by_behaviour for step, at in curve.items()}


def _recovery(
    records: Sequence[DurabilityRecord], method: str, part: Part, form: str, *, base: str
) -> Recovery:
    drawn = curve_of(records, method, part, form) or {}
    mine = _rates(drawn) or {}
    gold = _rates(curve_of(records, GOLD, part, form))
    taught, base_taught = (
        _rates(curve_of(records, one, "relearned", form)) for one in (GOLD, base)
    )
    before = _rates(curve_of(records, base, part, form))
    untouched = before[0] if before and 0 in before else None
    half = half_recovery(mine, untouched) if mine and untouched else None
    gap = above(mine, gold) if gold and method != GOLD else None
    wrecked_at = _wrecked_at(records, method, base=base)
    verdict, why = YARDSTICK if method == GOLD else verdict_of(
        mine, gold=gold, gold_taught=taught, untouched=untouched,
        untouched_taught=base_taught[0] if base_taught and 0 in base_taught else None,
        wrecked_at=wrecked_at,
    )  # fmt: skip
    return Recovery(
        method=method,
        treatment=records[0].treatment,
        part=part,
        form=form,
        headline=form == headline_form(records[0]),
        curve=[
            CurvePoint(step=step, value=at.value, low=at.low, high=at.high)
            for step, at in drawn.items()
        ],
        untouched_rate=sum(untouched.values()) / len(untouched) if untouched else None,
        steps_to_half=half.steps if half else None,
        half_low=half.low if half else None,
        half_high=half.high if half else None,
        above_gold=gap.value if gap else None,
        above_gold_low=gap.low if gap else None,
        above_gold_high=gap.high if gap else None,
        n_behaviours=len(drawn[0].by_behaviour) if 0 in drawn else 0,
        wrecked_at=wrecked_at,
        verdict=verdict,
        why=why,
    )


def _wrecked_at(records: Sequence[DurabilityRecord], method: str, *, base: str) -> int | None:
    """The first step at which it does too few of the twins, or tells too little of persons to be
    kept, that the untouched model does after the same step."""
    metric = KEPT[records[0].measure]
    mine, untouched = (
        curve_of(records, one, "kept", ALL, metric=metric) or {} for one in (method, base)
    )
    beside = (step for step in mine if step in untouched)
    return next(
        (step for step in beside if mine[step].value < TWIN_SHARE * untouched[step].value), None
    )
