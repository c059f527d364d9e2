"""Committed durability records, and the page, the curves and the link that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.core.durability_records import DurabilityRecord
from benchmark.core.errors import UserError
from benchmark.core.paths import file_name
from benchmark.core.store import Results
from benchmark.tables.durability.kept import (
    NAME,
    published_folder,
    published_path,
    read_published,
    write_published,
)
from benchmark.tables.durability.page import render
from benchmark.tables.durability.pages import ENDINGS, pictures_of, table_of
from benchmark.tables.durability.sameness import told_by, unlike
from benchmark.tables.figures.canvas import Picture

WHOLE = "only what ended on the full suite, from a clean tree, is published"


def publish_records(
    records: Sequence[DurabilityRecord], results: Results, *, replace: bool
) -> list[Path]:
    """Copy them to results/published, all or none; one that says the same as what is published
    leaves it as it is.

    Raises `UserError` for one that failed, was limited or came from a changed tree, that is unlike
    another or what stays published on its page, or, without `replace`, that says something else
    than the one in its place.
    """
    for record in records:
        _check(record)
    there = {path: read_published(path) for path in _paths(records, results)}
    placed = {published_path(results, record): record for record in records}
    _check_alike(records, [one for path, one in there.items() if path not in placed])
    for path, record in placed.items():
        if path in there and not replace and _said(there[path]) != _said(record):
            raise UserError(
                f"{path} is published already, of a run that ended {there[path].ended_at} and "
                "came to something else; --replace puts yours in its place"
            )
    for path, record in placed.items():
        if path not in there or _said(there[path]) != _said(record):
            write_published(path, record)
    return list(placed)


def _paths(records: Sequence[DurabilityRecord], results: Results) -> list[Path]:
    """What is published of the models and suites that these are of."""
    folders = {published_path(results, record).parents[1] for record in records}
    return [path for folder in sorted(folders) for path in sorted(folder.glob("*/*.json.gz"))]


def _check(record: DurabilityRecord) -> None:
    name = _name(record)
    if record.status == "failed":
        raise UserError(f"{name} failed: {record.reason}; {WHOLE}")
    if record.limit is not None:
        raise UserError(f"{name} is limited to {record.limit} items per set; {WHOLE}")
    if record.git.commit is None or record.git.dirty:
        why = "no commit is known" if record.git.commit is None else "the tree had changes"
        raise UserError(f"{name}: {why} when it was made; {WHOLE}")


def _check_alike(records: Sequence[DurabilityRecord], others: Sequence[DurabilityRecord]) -> None:
    """Seeds of a row and rows of a column are averaged and compared: nothing else may differ."""
    for record in records:
        for other in (*records, *others):
            if differ := unlike(record, other):
                both = f"{_name(record)}, and {_name(other)}"
                raise UserError(
                    f"{both}, differ in {', '.join(differ)}, and would stand on one page; publish "
                    "both anew"
                )


def _name(record: DurabilityRecord) -> str:
    return f"{record.method}, seed {record.seed}, {record.treatment}"


def _said(record: DurabilityRecord) -> tuple[object, ...]:
    """What came of it; when, where and how fast is the run's own affair."""
    return record.status, record.reason, record.key, record.states, told_by(record)


def durability_files(results: Results) -> dict[Path, str | Picture]:
    """A page and its curves for each suite and model of which anything is published.

    Raises `UserError` for a record that is damaged or lies in another's place.
    """
    files: dict[Path, str | Picture] = {}
    for folder in sorted(published_folder(results).glob("*/*")):
        records = _read(folder, results)
        if records:
            files |= _files(records, results)
    return files


def _read(folder: Path, results: Results) -> list[DurabilityRecord]:
    records = []
    for path in sorted(folder.glob("*/*.json.gz")):
        record = read_published(path)
        if published_path(results, record) != path:
            raise UserError(f"{path}: it belongs to {published_path(results, record)}")
        records.append(record)
    return records


def _files(records: Sequence[DurabilityRecord], results: Results) -> dict[Path, str | Picture]:
    suite, model = records[0].suite, records[0].model
    methods = sorted({record.method for record in records})
    found = table_of(records, suite=suite, model=model, limit=None, methods=methods, exit_code=0)
    page = page_path(results, suite=suite, model=model)
    drawn = {
        page.with_name(f"{page.stem}.{name}.{ending}"): picture
        for name, picture in pictures_of(found).items()
        for ending in ENDINGS
    }
    shown = [path.name for path in drawn if path.suffix[1:] == ENDINGS[0]]
    return {page: render(found, records, pictures=shown), **drawn}


def page_path(results: Results, *, suite: str, model: str) -> Path:
    """Beside the board of the same model."""
    return results.leaderboard / file_name(suite) / f"{NAME}-{file_name(model)}.md"


def durability_section(files: Sequence[Path], results: Results) -> str | None:
    """What the README says of the pages among these files; None where there is none."""
    pages = [path for path in files if path.stem.startswith(f"{NAME}-") and path.suffix == ".md"]
    links = [
        f"- [{path.parent.name}, `{path.stem.removeprefix(f'{NAME}-')}`]"
        f"({path.relative_to(results.leaderboard.parent).as_posix()})"
        for path in pages
    ]
    if not links:
        return None
    words = (
        "What is left after a model is merged, rounded, trained on, prompted or sampled, and "
        "whether it comes back faster than a model learns it that never knew it:"
    )
    return "\n\n".join(["### Does it come back?", words, "\n".join(links)])
