"""Runs found by their row's name: made here, else published on the board, else for a study."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path

from benchmark.core.errors import UserError, nearest
from benchmark.core.paths import file_name
from benchmark.core.rows import BASE
from benchmark.core.store import Results
from benchmark.scoring.run import score_run
from benchmark.tables.runs import LoadedRun, read_run

# What is kept of a run that did not finish bears its end in its name.
UNFINISHED = ("failed", "interrupted", "over_budget")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a board, by the names that its records lie under; limited runs are another row."""

    suite: str
    model: str
    method: str
    limit: int | None = None

    def file(self, seed: int) -> str:
        """The name of a seed's record."""
        return f"{seed}.json" if self.limit is None else f"{seed}.limit-{self.limit}.json"


def find_run(results: Results, row: Row, *, seed: int, published_first: bool = False) -> LoadedRun:
    """One run; with `published_first` one made here only where none is published. What did not
    finish is found where nothing else is.

    Raises `UserError` with the seeds that there are, or the nearest row, and for a damaged record.
    """
    folders = _folders(results, row)
    if published_first:
        folders = [*folders[1:], folders[0]]
    name = row.file(seed)
    ends = (name, *(f"{Path(name).stem}.{end}.json" for end in UNFINISHED))
    for one in ends:
        for folder in folders:
            if (folder / one).exists():
                return read_found(results, folder / one)
    limit = f", limit {row.limit}" if row.limit is not None else ""
    raise UserError(
        f"no run of '{row.method}' with seed {seed}{limit} on model '{row.model}', suite "
        f"'{row.suite}', here or published; {_nearest(folders, row)}"
    )


def _nearest(folders: Sequence[Path], row: Row) -> str:
    """What there is in place of a run that is not: another seed, another limit, another row."""
    if seeds := sorted(_seeds(folders, row)):
        return f"there is seed {', '.join(map(str, seeds))}"
    others = sorted(path for folder in folders for path in folder.glob("[0-9]*.json"))
    if others:
        # A limited run is told by its name alone.
        return f"there is {others[0]}, asked for by that path, or with its --limit"
    rows = sorted({path.name for folder in folders for path in folder.parent.glob("[!.]*")})
    method = row.method.partition("+")[0]
    same = [name for name in rows if name.partition("+")[0] == method]
    return f"there is {', '.join(same)}" if same else nearest(row.method, rows)


def find_runs(results: Results, row: Row) -> list[LoadedRun]:
    """All seeds of a row that finished, each found as by `find_run`, which says what is wrong where
    there is none."""
    seeds = sorted(_seeds(_folders(results, row), row))
    return [find_run(results, row, seed=seed) for seed in seeds or [0]]


def has_records(results: Results, row: Row) -> bool:
    """Whether there is any record on the row's model and suite, of whatever method."""
    return any(folder.parent.is_dir() for folder in _folders(results, row))


def read_found(results: Results, path: Path) -> LoadedRun:
    """A run by its record's file."""
    published = path.resolve().is_relative_to(results.published_records.resolve())
    return read_run(path, source="published" if published else "local")


def find_untouched(results: Results, run: LoadedRun) -> LoadedRun | None:
    """The untouched model's run to set beside `run`, asked the same prompts: of a limited run one
    with its limit, else what the whole one answered to them. None where there is none.

    Raises `UserError` for one that is damaged or did not finish.
    """
    spec = run.record.spec
    for limit in dict.fromkeys((spec.limit, None)):
        row = Row(suite=spec.suite, model=spec.model, method=BASE, limit=limit)
        if _seeds(_folders(results, row), row):
            return _asked_as(find_run(results, row, seed=0), run)
    return None


def _asked_as(base: LoadedRun, run: LoadedRun) -> LoadedRun:
    """The base, cut to what a run was asked, and scored on that."""
    if base.record.spec.limit == run.record.spec.limit or not base.record.suite:
        return base
    asked = {row.sample_id for row in run.rows}
    rows = [row for row in base.rows if row.sample_id in asked]
    plan = base.record.suite.plan
    scores = score_run(rows, base_rows=rows, plan=plan, judges=base.record.judges)
    spec = base.record.spec.model_copy(update={"limit": run.record.spec.limit})
    record = base.record.model_copy(
        update={"spec": spec, "scores": scores, "data": run.record.data}
    )
    return replace(base, record=record, rows=rows)


def _folders(results: Results, row: Row) -> list[Path]:
    """Where records of a row may lie, those made here first."""
    studies = results.published_records / "studies"
    own = studies.glob(f"*/{file_name(row.model)}/{escape(file_name(row.method))}")
    mine = results.record(suite=row.suite, model=row.model, method=row.method, seed=0)
    main = results.published(suite=row.suite, model=row.model, method=row.method, seed=0)
    return [mine.parent, main.parent, *sorted(own)]


def _seeds(folders: Sequence[Path], row: Row) -> set[int]:
    """The seeds of a row that finished, in any of the folders, once each."""
    ending = "" if row.limit is None else f".limit-{row.limit}"
    names = {path.name for folder in folders for path in folder.glob("[0-9]*.json")}
    found = (re.fullmatch(rf"([0-9]+){re.escape(ending)}\.json", name) for name in names)
    return {int(match[1]) for match in found if match}
