"""The files of the page about the miniature models: Markdown, all figures as CSV, a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from benchmark.core.store import Results
from benchmark.tables.bases import page
from benchmark.tables.bases.collect import Bases, read_bases
from benchmark.tables.bases.figures import all_known, sound
from benchmark.tables.bases.stages import shown_stages
from benchmark.tables.figures.canvas import Picture
from benchmark.tables.figures.panels import Line, Panel, Panels, Range
from benchmark.testbed.records import POOLS, BaseRecord

NAME = "miniature"
COLUMNS = ("model", "shipped", "variant", "seed", "stage", "figure", "value", "n")
# One line for each way in: by text, by text beside an empty picture, by pictures.
DRAWN = ("direct", "jailbreak", "blank_image", "typographic", "icon", "icon_word")


def base_files(results: Results) -> dict[Path, str | Picture]:
    """What the published training records make; nothing where there are none."""
    found = read_bases(results)
    if found is None:
        return {}
    place = results.leaderboard / NAME
    files: dict[Path, str | Picture] = {
        place.with_suffix(".md"): page.render(found),
        place.with_suffix(".csv"): as_csv(found),
    }
    picture = stages_picture(found)
    if picture is not None:
        files[place.with_suffix(".stages.png")] = picture
    return files


def miniature_link() -> str:
    """What the README says of the page."""
    return f"[{page.TITLE}](leaderboard/{NAME}.md): seeds, stages, ablations and probes."


def as_csv(found: Bases) -> str:
    """Every figure of every model and stage; the last stage's are the acceptance table's."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in (found.shipped, *found.seeds, *found.ablations):
        shipped = int(record is found.shipped)
        for stage, name, value, n in _figures(record):
            row = [record.name, shipped, record.variant, record.seed, stage, name]
            writer.writerow([*row, f"{value:.6f}", n])
    return text.getvalue()


def _figures(record: BaseRecord) -> Iterator[tuple[str, str, float, int]]:
    for stage in record.stages:
        for figure in record.measured(stage):
            yield stage, figure.name, figure.value, figure.n


def stages_picture(found: Bases) -> Panels | None:
    """Attack success after each stage, one panel per pool of harmful items."""
    measured = [record for record in found.seeds if record.after_stage]
    if not measured:
        return None
    stages = shown_stages(measured[0])
    panels = tuple(
        Panel(
            title=f"{pool} items",
            lines=tuple(
                Line(name=form, points=tuple(_range(measured, s, form, pool) for s in stages))
                for form in DRAWN
            ),
        )
        for pool in POOLS
    )
    return Panels(
        title="Attack success after each stage of the miniature's training",
        caption=f"Mean, lowest and highest of {len(measured)} seeds; hollow where harmless twins "
        "of the form are not done, so that low success may be inability.",
        steps=tuple(stage.replace("_", " ") for stage in stages),
        panels=panels,
    )


def _range(records: list[BaseRecord], stage: str, form: str, pool: str) -> Range | None:
    values = all_known(record.after(stage, f"asr {form} {pool}") for record in records)
    if not values:
        return None
    void = not all(sound(record, stage, form) for record in records)
    return Range(mean=sum(values) / len(values), low=min(values), high=max(values), void=void)
