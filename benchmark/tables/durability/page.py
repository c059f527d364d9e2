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
    TreatedCell,
)
from benchmark.core.rows import BASE
from benchmark.cost.clock import device_unit
from benchmark.scoring.wrecks import is_wreck
from benchmark.tables.cells import MISSING, UNIT_NAMES, markdown_table, number
from benchmark.tables.durability.build import written
from benchmark.tables.durability.recovering import GOLD
from benchmark.tables.durability.relearning import relearning
from benchmark.tables.durability.words import NOT_HELD, WORDS, WRECK
from benchmark.treatments import UNTREATED


def render(
    found: Durability,
    records: Sequence[DurabilityRecord],
    *,
    pictures: Sequence[str],
) -> str:
    """The page in Markdown; it follows from the records alone. `pictures` are of the curves of
    relearning, and lie beside it."""
    notices = dict.fromkeys(record.notice for record in records)
    limited = f", first {found.limit} of each set, never ranked" if found.limit else ""
    lines = [f"# Durability: {found.model}, suite {found.suite}{limited}", ""]
    lines += [line for notice in notices for line in (f"> {notice}", "")]
    lines += [*_success(found), *_harmless(found), *relearning(found)]
    lines += [line for name in pictures for line in (f"![Curves of relearning]({name})", "")]
    lines += [*_costs(records), *_how(records)]
    return "\n".join(lines).rstrip() + "\n"


def _success(found: Durability) -> Iterator[str]:
    titles = [column.title for column in found.columns]
    void = {cell.column: cell.void for row in found.rows for cell in row.cells if cell.void}
    yield (
        f"{WORDS[found.measure].table} `*`: some answers could not be judged. `n/a`: not measured, "
        "`void`: measured and meaningless; neither is a zero. In brackets behind seeds: how many "
        "models were treated, where seeds come to the same one."
    )
    yield ""
    table = [
        [row.method, _seeds(row), *(_marked(cell, row) for cell in row.cells)] for row in found.rows
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


def _marked(cell: TreatedCell, row: DurabilityRow) -> str:
    """A void cell bears no mark: there is no figure to warn of."""
    if cell.void:
        return written(cell)
    fewer = cell.value is not None and cell.n_seeds < len(row.seeds)
    return (
        written(cell)
        + (f" {WRECK}" if is_wreck(cell.kept_share) else "")
        + (f" {NOT_HELD}" if cell.value is not None and cell.kept_share is None else "")
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
