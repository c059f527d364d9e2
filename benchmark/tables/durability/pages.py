"""Writes the page, the table for programs and the curves of one model on one suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.core.durability_records import Durability, DurabilityRecord
from benchmark.core.paths import file_name
from benchmark.core.rows import BASE
from benchmark.core.store import Results, write_atomic
from benchmark.tables.durability.build import columns_of, rows_of, voided
from benchmark.tables.durability.kept import folder_of, record_path
from benchmark.tables.durability.page import render
from benchmark.tables.durability.pictures import curves_picture
from benchmark.tables.durability.recovering import recoveries_of
from benchmark.tables.figures.canvas import write_picture


def written(
    records: Sequence[DurabilityRecord],
    results: Results,
    *,
    suite: str,
    model: str,
    limit: int | None,
    methods: Sequence[str],
    exit_code: int,
) -> tuple[Durability, str]:
    """The table with the files that it was written to, and the page's text."""
    columns = columns_of(records)
    found = Durability(
        suite=suite,
        model=model,
        limit=limit,
        columns=columns,
        rows=voided(rows_of(records, columns, methods), base=BASE),
        recoveries=recoveries_of(records, base=BASE),
        records=[str(record_path(results, record)) for record in records],
        files=[],
        exit_code=exit_code,
    )
    folder = folder_of(results, suite=suite, model=model)
    stem = "durability" if limit is None else f"durability.limit-{limit}"
    text = render(found, records, base=BASE)
    files = [folder / f"{stem}.md", folder / f"{stem}.json", *_pictures(found, folder, stem)]
    found = found.model_copy(update={"files": [str(path) for path in files]})
    write_atomic(files[0], text)
    write_atomic(files[1], found.model_dump_json(indent=1) + "\n")
    return found, text


def _pictures(found: Durability, folder: Path, stem: str) -> list[Path]:
    """Of every row of `relearn` a PNG and an SVG."""
    made = []
    for treatment in dict.fromkeys(one.treatment for one in found.recoveries):
        own = [one for one in found.recoveries if one.treatment == treatment]
        picture = curves_picture(own, title=f"{treatment}: {found.model}, {found.suite}")
        if picture is not None:
            for ending in ("png", "svg"):
                path = folder / f"{stem}.{file_name(treatment)}.{ending}"
                write_picture(path, picture)
                made.append(path)
    return made
