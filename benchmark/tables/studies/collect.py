"""Where a study's runs are: on the main board, published for the study, or made here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from benchmark.core.errors import UserError
from benchmark.core.rows import BASE
from benchmark.core.store import Results
from benchmark.studies import Study
from benchmark.tables.runs import LoadedRun, read_record, read_run


@dataclass(frozen=True, kw_only=True)
class Collected:
    """A study's runs and the untouched model's, which seeds of which rows are not there, a line for
    each record that could not be read, and what stopped rows that were tried here in vain."""

    runs: Sequence[LoadedRun] = field(repr=False)
    missing: Mapping[str, Sequence[int]]
    warnings: Sequence[str]
    stopped: Mapping[str, str] = field(default_factory=dict)


def collect(study: Study, results: Results, *, local: bool) -> Collected:
    """Read what there is; with `local` also what was run here and is not published."""
    runs: list[LoadedRun] = []
    warnings: list[str] = []
    missing: dict[str, list[int]] = {}
    for row in (BASE, *(row.name for row in study.all_rows)):
        for seed in study.seeds:
            try:
                run = _read(study, results, row=row, seed=seed, local=local)
            except UserError as error:
                warnings.append(f"left out: {error}")
                run = None
            if run is None:
                missing.setdefault(row, []).append(seed)
            else:
                runs.append(run)
    if any(run.record.spec.method == BASE for run in runs):
        # It is the same whatever the seed.
        missing.pop(BASE, None)
    stopped = _stopped(study, results, missing) if local else {}
    return Collected(runs=runs, missing=missing, warnings=warnings, stopped=stopped)


def not_published(
    study: Study, results: Results, *, main_only: bool = False
) -> list[tuple[str, int]]:
    """The rows and seeds that neither the main board nor the study has; with `main_only` those that
    the main board has not."""
    found = []
    for row in study.all_rows:
        for seed in study.seeds:
            main, own = _places(study, results, row=row.name, seed=seed)
            if not main.exists() and (main_only or not own.exists()):
                found.append((row.name, seed))
    return found


def has_page(study: Study, results: Results) -> bool:
    """Whether there is anything to show: a record of its own, or every row on the main board."""
    own = results.study_records(study.name, study.model)
    return any(own.glob("*/*.json")) or not not_published(study, results)


def _read(study: Study, results: Results, *, row: str, seed: int, local: bool) -> LoadedRun | None:
    # The main board's record first: a row has the same figures wherever it is shown.
    for path in _places(study, results, row=row, seed=seed):
        if path.exists():
            return read_run(path, source="published")
    path = results.record(suite=study.suite, model=study.model, method=row, seed=seed)
    if not local or not path.exists():
        return None
    run = read_run(path, source="local")
    return run if run.whole else None


def _stopped(study: Study, results: Results, rows: Iterable[str]) -> dict[str, str]:
    """By row, what its run here ended with before it had figures: the first seed's words."""
    found: dict[str, str] = {}
    for row, seed in product(rows, study.seeds):
        path = results.record(suite=study.suite, model=study.model, method=row, seed=seed)
        try:
            record = read_record(path) if path.exists() else None
        except UserError:
            # It has its line among the warnings.
            continue
        if record is not None and record.error:
            found.setdefault(row, record.error.splitlines()[0].removesuffix("."))
    return found


def _places(study: Study, results: Results, *, row: str, seed: int) -> tuple[Path, Path]:
    """Where a published record may lie: on the main board, or with the study."""
    main = results.published(suite=study.suite, model=study.model, method=row, seed=seed)
    own = results.published_study(study=study.name, model=study.model, method=row, seed=seed)
    return main, own
