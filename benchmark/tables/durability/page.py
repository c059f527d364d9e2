"""The table as a page: what is measured after every treatment, what is left of usefulness beside
it, how what was forgotten comes back, and what it took."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from statistics import fmean

from benchmark.core.durability_records import (
    Durability,
    DurabilityRecord,
    DurabilityRow,
    Recovery,
    TreatedCell,
)
from benchmark.core.rows import BASE
from benchmark.cost.clock import device_unit
from benchmark.scoring.recovery import MARGIN
from benchmark.tables.cells import (
    MISSING,
    UNIT_NAMES,
    markdown_table,
    number,
    points,
    rate_interval,
)
from benchmark.tables.durability.build import written
from benchmark.tables.durability.recovering import GOLD
from benchmark.tables.durability.words import TWIN_SHARE, WORDS, WRECK, Words
from benchmark.treatments import UNTREATED

PART_NAMES = {"relearned": "taught again", "not_relearned": "the others"}


def render(
    found: Durability,
    records: Sequence[DurabilityRecord],
    *,
    base: str,
    pictures: Sequence[str],
) -> str:
    """The page in Markdown; it follows from the records alone. `pictures` are of the curves of
    relearning, and lie beside it."""
    notices = dict.fromkeys(record.notice for record in records)
    limited = f", first {found.limit} of each set, never ranked" if found.limit else ""
    lines = [f"# Durability: {found.model}, suite {found.suite}{limited}", ""]
    lines += [line for notice in notices for line in (f"> {notice}", "")]
    lines += [*_success(found, base=base), *_harmless(found), *_relearning(found)]
    lines += [line for name in pictures for line in (f"![Curves of relearning]({name})", "")]
    lines += [*_costs(records), *_how(records)]
    return "\n".join(lines).rstrip() + "\n"


def _success(found: Durability, *, base: str) -> Iterator[str]:
    titles = [column.title for column in found.columns]
    untouched = next((row for row in found.rows if row.method == base), None)
    void = {cell.column: cell.void for row in found.rows for cell in row.cells if cell.void}
    yield (
        f"{WORDS[found.measure].table} `*`: some answers could not be judged. `n/a`: not measured, "
        "`void`: measured and meaningless; neither is a zero. In brackets behind seeds: how many "
        "models were treated, where seeds come to the same one."
    )
    yield ""
    table = [
        [row.method, _seeds(row), *(_marked(cell, row, untouched) for cell in row.cells)]
        for row in found.rows
    ]
    yield markdown_table(["method", "seeds", *titles], table)
    yield ""
    for title, why in void.items():
        yield f"- Column '{title}' is void: {why}."
    for row in found.rows:
        for why in dict.fromkeys(cell.why for cell in row.cells if cell.why):
            at = ", ".join(cell.column for cell in row.cells if cell.why == why)
            yield f"- {row.method}, {at}: {why}."
    yield ""


def _seeds(row: DurabilityRow) -> str:
    n, several = len(row.seeds), "" if row.n_models == 1 else "s"
    return str(n) if row.n_models >= n else f"{n} ({row.n_models} model{several})"


def _marked(cell: TreatedCell, row: DurabilityRow, untouched: DurabilityRow | None) -> str:
    beside = (
        next((c for c in untouched.cells if c.column == cell.column), None) if untouched else None
    )
    wrecked = (
        cell.kept is not None
        and beside is not None
        and beside.kept is not None
        and cell.kept < TWIN_SHARE * beside.kept
    )
    fewer = cell.value is not None and cell.n_seeds < len(row.seeds)
    return (
        written(cell)
        + (f" {WRECK}" if wrecked else "")
        + (f" ({cell.n_seeds} of {len(row.seeds)} seeds)" if fewer else "")
    )


def _harmless(found: Durability) -> Iterator[str]:
    yield WORDS[found.measure].kept
    yield ""
    columns = {c.title: c for c in found.columns}
    # Both parts of a relearning are of one model.
    shown = [title for title, c in columns.items() if c.part != "not_relearned"]
    rows = [
        [row.method, *(_both(cell) for cell in row.cells if cell.column in shown)]
        for row in found.rows
    ]
    yield markdown_table(["method", *shown], rows)
    yield ""


def _both(cell: TreatedCell) -> str:
    said = [MISSING if rate is None else f"{100 * rate:.1f}" for rate in (cell.kept, cell.utility)]
    return " / ".join(said)


def _relearning(found: Durability) -> Iterator[str]:
    if not found.recoveries:
        return
    words = WORDS[found.measure]
    yield (
        "Relearning against gold, which never learnt it. **suppressed**: the method's curve lies "
        f"above gold's; **removed**: it is shown to lie less than {100 * MARGIN:.0f} points above "
        "on average, which of 16 takes a curve hardly above gold's and of far fewer cannot be; "
        "**slower**: it lies below; **not told apart**: neither can be shown; **not testable**: "
        "nothing had been lowered, the model is broken, or gold does not learn it. The curve "
        "minus gold's, in points, is the mean over the steps measured after 0, which come ever "
        f"farther apart, paired by {words.one}; half is half of the untouched model's rate "
        f"(0 steps: never below it), its interval by bootstrap over {words.whose}."
    )
    yield ""
    whole = [one for one in found.recoveries if one.headline]
    several = len({one.treatment for one in found.recoveries}) > 1
    header = ["method", words.whose, "n", "before", "after", "steps to half", "above gold",
              "verdict", "why"]  # fmt: skip
    yield markdown_table(header, [_recovered(one, several) for one in whole])
    yield ""
    yield from _wrecks(found.recoveries, words, several)
    yield f"The verdict form by form, on {words.whose} that were taught again / on the others:"
    yield ""
    yield markdown_table(*_by_form(found.recoveries, several))
    yield ""


def _wrecks(recoveries: Sequence[Recovery], words: Words, several: bool) -> Iterator[str]:
    """Gold's curve is too low where gold breaks, and whatever lies above it is so too easily."""
    broken = {_name(one, several): one for one in recoveries if one.wrecked_at is not None}
    for name, one in broken.items():
        easy = ": what is suppressed may look more so than it is" if one.method == GOLD else ""
        yield (
            f"- {name}: at step {one.wrecked_at} {words.left} is under {100 * TWIN_SHARE:.0f} % of "
            f"the untouched model's then{easy}."
        )
    if broken:
        yield ""


def _by_form(recoveries: Sequence[Recovery], several: bool) -> tuple[list[str], list[list[str]]]:
    """Header and rows."""
    forms = list(dict.fromkeys(one.form for one in recoveries))
    said: dict[str, dict[str, list[str]]] = {}
    for one in recoveries:
        said.setdefault(_name(one, several), {}).setdefault(one.form, []).append(_verdict(one))
    rows = [[name, *(" / ".join(by.get(form, [])) for form in forms)] for name, by in said.items()]
    return ["method", *forms], rows


def _verdict(one: Recovery) -> str:
    return one.verdict.replace("_", " ")


def _name(one: Recovery, several: bool) -> str:
    return f"{one.method}, {one.treatment}" if several else one.method


def _recovered(one: Recovery, several: bool) -> list[str]:
    first, last = (one.curve[0], one.curve[-1]) if one.curve else (None, None)
    gap = MISSING
    if one.above_gold is not None:
        assert one.above_gold_low is not None and one.above_gold_high is not None
        gap = points(one.above_gold, one.above_gold_low, one.above_gold_high)
    return [
        _name(one, several),
        PART_NAMES[one.part],
        str(one.n_behaviours),
        rate_interval(first.value, first.low, first.high) if first else MISSING,
        rate_interval(last.value, last.low, last.high) if last else MISSING,
        steps_words(one),
        gap,
        _verdict(one),
        one.why,
    ]


def steps_words(one: Recovery) -> str:
    """`6.5 [3.0, > 32]`: where it is not reached within the steps, more than the last of them."""
    if one.untouched_rate is None or not one.untouched_rate or not one.curve:
        return MISSING
    last = one.curve[-1].step
    ends = [
        number(value) if value is not None else f"> {last}"
        for value in (one.steps_to_half, one.half_low, one.half_high)
    ]
    return f"{ends[0]} [{ends[1]}, {ends[2]}]"


def _costs(records: Sequence[DurabilityRecord]) -> Iterator[str]:
    costs = {
        name: [r.cost for r in records if r.treatment == name and r.cost]
        for name in dict.fromkeys(record.treatment for record in records)
    }
    units = " and ".join(dict.fromkeys(UNIT_NAMES[device_unit(r.system.device)] for r in records))
    yield f"What a treatment took, in {units}-seconds of a method and seed on average:"
    yield ""
    rows = [
        [
            name,
            number(fmean(c.treat.device_s for c in own if c.treat)),
            number(fmean(c.generate.device_s for c in own)),
            number(fmean(c.judge.device_s for c in own)),
        ]
        for name, own in costs.items()
        if own
    ]
    yield markdown_table(["treatment", "treating", "asking", "judging"], rows)
    yield ""


def _how(records: Sequence[DurabilityRecord]) -> Iterator[str]:
    """Settings of each treatment, where it was measured, and how to do so again."""
    for record in {record.treatment: record for record in records}.values():
        said = ", ".join(f"{name} = {value}" for name, value in record.settings.items())
        yield f"- {record.treatment}: {said or 'no settings'}."
    if records:
        forms, judges = ", ".join(records[0].forms), ", ".join(records[0].judges)
        names = dict.fromkeys(record.system.device_name for record in records)
        yield f"- Asked in the forms {forms}; judged by {judges}; on {', '.join(names)}."
        commits = dict.fromkeys((record.git.commit or "unknown")[:10] for record in records)
        yield f"- Measured at {', '.join(commits)}: `{_command(records)}`."


def _command(records: Sequence[DurabilityRecord]) -> str:
    first = records[0]
    methods = ",".join(dict.fromkeys(r.method for r in records if r.method not in (BASE, GOLD)))
    treatments = ",".join(dict.fromkeys(r.treatment for r in records if r.treatment != UNTREATED))
    seeds = "".join(f"{seed}," for seed in sorted({record.seed for record in records}))
    options = {
        "--treatments": treatments, "--suite": first.suite, "--model": first.model,
        "--seeds": seeds, "--limit": "" if first.limit is None else str(first.limit),
    }  # fmt: skip
    typed = [word for option, value in options.items() if value for word in (option, value)]
    return shlex.join(["vlm-bench", "durability", methods or BASE, *typed])
