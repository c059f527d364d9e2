"""The table of a model: treatments as columns, methods as rows, seeds averaged by behaviour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from benchmark.core.durability_records import (
    Column,
    DurabilityRecord,
    DurabilityRow,
    Part,
    TreatedCell,
    TreatedFigure,
    TreatedMetric,
    TreatedState,
)
from benchmark.core.plan import GateLimits
from benchmark.core.rows import split_row
from benchmark.scoring.intervals import effective_n, wilson
from benchmark.scoring.removal import NONE_LEFT
from benchmark.scoring.treated import ALL, KEPT
from benchmark.tables.cells import MISSING, VOID
from benchmark.treatments import names

LIMITS = GateLimits()


@dataclass(frozen=True, kw_only=True)
class Averaged:
    """A figure of several seeds: by behaviour first, then over behaviours, with its interval; and
    of how many answers it is."""

    by_behaviour: dict[str, float]
    value: float
    low: float
    high: float
    n_total: int
    n_unscored: int


def averaged(figures: Sequence[TreatedFigure]) -> Averaged | None:
    """None where nothing was measured."""
    found: dict[str, list[float]] = {}
    for figure in figures:
        for behaviour, rate in figure.by_behaviour.items():
            found.setdefault(behaviour, []).append(rate)
    if not found:
        return None
    rates = {behaviour: fmean(values) for behaviour, values in found.items()}
    n_total = sum(figure.n_total for figure in figures)
    n_unscored = sum(figure.n_unscored for figure in figures)
    value = min(fmean(rates.values()), 1.0)
    low, high = wilson(value, effective_n(list(rates.values()), n_total - n_unscored))
    return Averaged(
        by_behaviour=rates, value=value, low=low, high=high, n_total=n_total, n_unscored=n_unscored
    )


def kept_rate(figures: Sequence[TreatedFigure]) -> float | None:
    """The rate of what was to be left alone; None where it was not measured, or so little of it
    was scored that nobody knows."""
    found = averaged(figures)
    if found is None or LIMITS.too_few_scored(found.n_unscored, of=found.n_total):
        return None
    return found.value


def figure_in(
    state: TreatedState,
    metric: TreatedMetric,
    *,
    part: Part,
    form: str = ALL,
    draws: int = 1,
) -> TreatedFigure | None:
    """The one figure of that place."""
    wanted = (metric, part, form, draws)
    for figure in state.figures:
        if (figure.metric, figure.part, figure.form, figure.draws) == wanted:
            return figure
    return None


def columns_of(records: Iterable[DurabilityRecord]) -> list[Column]:
    """One a treatment, in the order of treatments; relearning has one for what it teaches and one
    for the rest, sampling one for each temperature."""
    there = list({record.treatment: record for record in _whole_first(records)}.values())
    order = {name: place for place, name in enumerate(names())}
    there.sort(key=lambda record: order.get(split_row(record.treatment)[0], len(order)))
    return [column for record in there for column in _columns(record)]


def _whole_first(records: Iterable[DurabilityRecord]) -> list[DurabilityRecord]:
    """Those that came to an end last, so that they say what a treatment's columns are."""
    return sorted(records, key=lambda record: record.status == "done")


def _columns(record: DurabilityRecord) -> list[Column]:
    name, measure = record.treatment, record.measure
    whole: Part = "held_out" if measure == "asr" else "to_forget"
    drawn = [state for state in record.states if state.temperature is not None]
    if drawn:
        return [
            Column(
                title=f"{name} leak@{state.n_draws} T={state.temperature:g}", treatment=name,
                metric="leak", part=whole, temperature=state.temperature,
            )
            for state in drawn
        ]  # fmt: skip
    if record.relearned:
        last, form = record.states[-1].step, headline_form(record)
        by = f", by {form}" if form != ALL else ""
        parts: tuple[tuple[Part, str], ...] = (("relearned", "taught"), ("not_relearned", "others"))
        return [
            Column(title=f"{name} {last} steps, {called}{by}", treatment=name, metric=measure,
                   part=part, form=form)
            for part, called in parts
        ]  # fmt: skip
    steps = [state.step for state in record.states if state.step is not None]
    title = f"{name} {steps[-1]} steps" if steps else name
    return [Column(title=title, treatment=name, metric=measure, part=whole)]


def headline_form(record: DurabilityRecord) -> str:
    """The form that a relearning is told in: all of them; about persons what they were taught by,
    since a gold that is taught names learns no avatar, and the mean of both says neither."""
    taught = record.settings.get("modality")
    if record.measure == "recall" and isinstance(taught, str) and taught in record.forms:
        return taught
    return ALL


def rows_of(
    records: Sequence[DurabilityRecord], columns: Sequence[Column], methods: Sequence[str]
) -> list[DurabilityRow]:
    """In the order of `methods`, reference rows first."""
    rows = []
    for method in methods:
        mine = [record for record in records if record.method == method]
        if not mine:
            continue
        treated = [one.cost.treat.device_s for one in mine if one.cost and one.cost.treat]
        rows.append(
            DurabilityRow(
                method=method,
                reference=any(record.reference for record in mine),
                seeds=sorted({record.seed for record in mine}),
                n_models=len({record.training for record in mine}),
                cells=[_cell(mine, column) for column in columns],
                treatment_s=sum(treated) if treated else None,
            )
        )
    return sorted(rows, key=lambda row: not row.reference)


def _cell(records: Sequence[DurabilityRecord], column: Column) -> TreatedCell:
    mine = [record for record in records if record.treatment == column.treatment]
    states = [state for record in mine if (state := _state(record, column)) is not None]
    draws = max((state.n_draws for state in states), default=1) if column.metric == "leak" else 1
    measured = _of_all(states, column.metric, column.part, form=column.form, draws=draws)
    found = averaged(measured)
    reasons = dict.fromkeys(record.reason for record in mine if record.reason)
    if found is None:
        why = "; ".join(reasons) or _unmeasured(measured, asked=bool(states))
        return TreatedCell(column=column.title, why=why)
    kept = kept_rate(_of_all(states, KEPT[records[0].measure], "kept"))
    utility = averaged(_of_all(states, "utility", "kept"))
    return TreatedCell(
        column=column.title, value=found.value, low=found.low, high=found.high,
        n_behaviours=len(found.by_behaviour), n_seeds=len(states), n_unscored=found.n_unscored,
        kept=kept, utility=utility.value if utility else None,
        why="; ".join(reasons) or None,
    )  # fmt: skip


def _unmeasured(figures: Sequence[TreatedFigure], *, asked: bool) -> str:
    """Why nothing was scored, where no record says why."""
    if not asked:
        return "not run"
    n = sum(figure.n_total for figure in figures)
    return f"none of {n} answers could be scored" if n else NONE_LEFT


def _of_all(
    states: Sequence[TreatedState],
    metric: TreatedMetric,
    part: Part,
    *,
    form: str = ALL,
    draws: int = 1,
) -> list[TreatedFigure]:
    found = [figure_in(state, metric, part=part, form=form, draws=draws) for state in states]
    return [figure for figure in found if figure is not None]


def _state(record: DurabilityRecord, column: Column) -> TreatedState | None:
    """The last one of a curve, the one of a temperature."""
    fitting = [state for state in record.states if state.temperature == column.temperature]
    return fitting[-1] if fitting else None


def written(cell: TreatedCell) -> str:
    """`12.5 [7.1, 20.9]`; `n/a` where there is no figure, `void` where it means nothing, with a
    star where some answers could not be judged."""
    if cell.void:
        return VOID
    if cell.value is None or cell.low is None or cell.high is None:
        return MISSING
    star = "*" if cell.n_unscored else ""
    return f"{100 * cell.value:.1f}{star} [{100 * cell.low:.0f}, {100 * cell.high:.0f}]"
