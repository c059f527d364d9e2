"""Writes the page, the table for programs and the curves of one model on one suite."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.durability_records import Durability, DurabilityRecord
from benchmark.core.paths import file_name
from benchmark.core.rows import BASE
from benchmark.core.store import Results, write_atomic
from benchmark.tables.durability.beside import held_to_untouched
from benchmark.tables.durability.build import columns_of, rows_of
from benchmark.tables.durability.kept import folder_of, record_path
from benchmark.tables.durability.page import render
from benchmark.tables.durability.pictures import curves_picture
from benchmark.tables.durability.recovering import recoveries_of
from benchmark.tables.durability.words import WORDS
from benchmark.tables.figures.canvas import Picture, write_picture

ENDINGS = ("png", "svg")


def table_of(
    records: Sequence[DurabilityRecord],
    *,
    suite: str,
    model: str,
    limit: int | None,
    methods: Sequence[str],
    exit_code: int,
) -> Durability:
    """What the records of a model say, in figures; where they lie is not in it."""
    columns = columns_of(records)
    measure = records[0].measure if records else "asr"
    return Durability(
        suite=suite,
        model=model,
        measure=measure,
        limit=limit,
        columns=columns,
        rows=held_to_untouched(rows_of(records, columns, methods), base=BASE, measure=measure),
        recoveries=recoveries_of(records, base=BASE),
        records=[],
        files=[],
        exit_code=exit_code,
    )


def pictures_of(found: Durability) -> dict[str, Picture]:
    """The curves of every row of `relearn`, by the part of a file's name that tells them apart."""
    drawn: dict[str, Picture] = {}
    for treatment in dict.fromkeys(one.treatment for one in found.recoveries):
        own = [one for one in found.recoveries if one.treatment == treatment]
        picture = curves_picture(
            own,
            measured=WORDS[found.measure].measured,
            title=f"{treatment}: {found.model}, {found.suite}",
        )
        if picture is not None:
            drawn[file_name(treatment)] = picture
    return drawn


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
    found = table_of(
        records, suite=suite, model=model, limit=limit, methods=methods, exit_code=exit_code
    )
    folder = folder_of(results, suite=suite, model=model)
    stem = "durability" if limit is None else f"durability.limit-{limit}"
    drawn = pictures_of(found)
    pictures = [f"{stem}.{name}.{ENDINGS[0]}" for name in drawn]
    text = render(found, records, pictures=pictures)
    files = [folder / f"{stem}.md", folder / f"{stem}.json"]
    for name, picture in drawn.items():
        for ending in ENDINGS:
            files.append(folder / f"{stem}.{name}.{ending}")
            write_picture(files[-1], picture)
    found = found.model_copy(
        update={
            "records": [str(record_path(results, record)) for record in records],
            "files": [str(path) for path in files],
        }
    )
    write_atomic(files[0], text)
    write_atomic(files[1], found.model_dump_json(indent=1) + "\n")
    return found, text
