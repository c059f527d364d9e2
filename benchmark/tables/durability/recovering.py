"""The curves of relearning, held against gold's and against the untouched model's rate."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.durability_records import (
    CurvePoint,
    DurabilityRecord,
    Part,
    Recovery,
    TreatedFigure,
    TreatedMetric,
    Verdict,
)
from benchmark.core.rows import split_row
from benchmark.scoring.recovery import above, half_recovery
from benchmark.scoring.removal import Followed, verdict_of
from benchmark.scoring.treated import ALL, KEPT
from benchmark.scoring.wrecks import KeptShares, first_unknown, first_wreck, kept_share
from benchmark.tables.durability.build import (
    Averaged,
    averaged,
    figure_in,
    headline_form,
    kept_rate,
)

RELEARN = "relearn"
GOLD = "gold"
TAUGHT: Part = "relearned"
PARTS: tuple[Part, ...] = (TAUGHT, "not_relearned")
NOBODY = Followed(curve={}, n_total=0, n_unscored=0)
YARDSTICK: tuple[Verdict, str] = ("not_testable", "it is what the others are held against")

Figures = dict[int, list[TreatedFigure]]
"""Step -> one figure a seed."""


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


def _recovery(
    records: Sequence[DurabilityRecord], method: str, part: Part, form: str, *, base: str
) -> Recovery:
    drawn = curve_of(_figures(records, method, part=part, form=form))
    asked = {
        (one, of): followed(_figures(records, one, part=of, form=form))
        for one in (method, GOLD, base)
        for of in (part, TAUGHT)
    }
    mine = asked[method, part] or NOBODY
    gold, untouched = asked[GOLD, part], asked[base, part]
    before = untouched.before if untouched else {}
    half = half_recovery(mine.curve, before) if mine.curve and before else None
    gap = above(mine.curve, gold.curve) if gold and method != GOLD else None
    kept = kept_shares(records, method, base=base)
    verdict, why = YARDSTICK if method == GOLD else verdict_of(
        mine, gold=gold, gold_taught=asked[GOLD, TAUGHT], untouched=untouched,
        untouched_taught=asked[base, TAUGHT], kept=kept,
    )  # fmt: skip
    return Recovery(
        method=method,
        treatment=records[0].treatment,
        part=part,
        form=form,
        headline=form == headline_form(records[0]),
        curve=[
            CurvePoint(
                step=step, value=at.value, low=at.low, high=at.high, n_unscored=at.n_unscored
            )
            for step, at in drawn.items()
        ],
        untouched_rate=sum(before.values()) / len(before) if before else None,
        steps_to_half=half.steps if half else None,
        half_low=half.low if half else None,
        half_high=half.high if half else None,
        above_gold=gap.value if gap else None,
        above_gold_low=gap.low if gap else None,
        above_gold_high=gap.high if gap else None,
        n_behaviours=len(mine.before),
        n_total=mine.n_total,
        n_unscored=mine.n_unscored,
        wrecked_at=first_wreck(kept),
        unknown_at=first_unknown(kept),
        verdict=verdict,
        why=why,
    )


def _figures(
    records: Sequence[DurabilityRecord],
    method: str,
    *,
    part: Part,
    form: str,
    metric: TreatedMetric | None = None,
) -> Figures:
    """What is measured of a method, or another metric; of a step that was not asked there are
    none."""
    found: Figures = {}
    for record in records:
        for state in record.states if record.method == method else ():
            if state.step is None:
                continue
            figure = figure_in(state, metric or record.measure, part=part, form=form)
            found.setdefault(state.step, []).extend([figure] if figure else [])
    return {step: found[step] for step in sorted(found)}


def curve_of(figures: Figures) -> dict[int, Averaged]:
    """The seeds averaged, at each step of which anything was scored."""
    means = {step: averaged(of_seeds) for step, of_seeds in figures.items()}
    return {step: mean for step, mean in means.items() if mean is not None}


def followed(figures: Figures) -> Followed | None:
    """The curve, with the counts of what nobody could judge at all of its steps; None where nobody
    was asked about."""
    every = [figure for of_seeds in figures.values() for figure in of_seeds]
    n_total = sum(figure.n_total for figure in every)
    if not n_total:
        return None
    return Followed(
        curve={step: mean.by_behaviour for step, mean in curve_of(figures).items()},
        n_total=n_total,
        n_unscored=sum(figure.n_unscored for figure in every),
    )


def kept_shares(records: Sequence[DurabilityRecord], method: str, *, base: str) -> KeptShares:
    """What it does of the twins, or tells of persons to be kept, at each of its steps, as a share
    of what the untouched model does after the same step."""
    metric = KEPT[records[0].measure]
    mine, untouched = (
        _figures(records, one, part="kept", form=ALL, metric=metric) for one in (method, base)
    )
    return {
        step: kept_share(kept_rate(figures), kept_rate(untouched.get(step, [])))
        for step, figures in mine.items()
    }
