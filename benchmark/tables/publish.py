"""Publishing: local records, checked again, become committed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.errors import UserError
from benchmark.core.store import Results, write_atomic
from benchmark.scoring.rankability import row_reasons, what_happened
from benchmark.studies import Study, all_studies
from benchmark.tables.runs import (
    LoadedRun,
    board_folder,
    is_whole,
    read_record,
    read_records,
    read_run,
    read_runs,
    remove_rows,
    write_rows,
)
from benchmark.tables.studies.collect import not_published


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was written, and why the row they make may still not be ranked."""

    records: list[Path]
    reasons: list[str]
    reference: bool
    """Reference rows are never ranked, whatever the reasons."""


def rows_to_publish(
    results: Results, *, suite: str, model: str
) -> tuple[list[str], dict[str, str]]:
    """Every row whose whole runs here are all finished, methods with settings of their own among
    them; and the rows that are left out, with the reason. Raises `UserError` when there is nothing.
    """
    folder = board_folder(results.local_records, suite=suite, model=model)
    records, damaged = read_records(folder)
    whole = {record.spec.method for _, record in records if is_whole(record)}
    if not whole:
        nothing = f"no finished local run on model '{model}', suite '{suite}' to publish"
        raise UserError("; ".join([nothing, *damaged]))
    unfinished = sorted({record.spec.method for _, record in records} - whole)
    left_out = dict.fromkeys(unfinished, "no whole run of it is done")
    left_out |= {
        record.spec.method: f"seed {record.spec.seed}: {what_happened(record)}"
        for _, record in records
        if record.status != "done" and record.spec.limit is None and record.spec.method in whole
    }
    for name in sorted(whole):
        study = _study_of(name, suite=suite, model=model)
        there = results.published(suite=suite, model=model, method=name, seed=0).parent
        if study is not None and not there.exists():
            left_out[name] = f"it belongs to a study (publish --study {study})"
    return sorted(whole - left_out.keys()), left_out


def publish_study(study: Study, results: Results, *, replace: bool = False) -> dict[str, Published]:
    """Publish every row of a study that ran here whole and that the main board does not have.

    Raises `UserError` when there is none, and as `publish` does.
    """
    here: dict[str, list[int]] = {}
    for name, seed in not_published(study, results, main_only=replace):
        path = results.record(suite=study.suite, model=study.model, method=name, seed=seed)
        if path.exists() and is_whole(read_record(path)):
            here.setdefault(name, []).append(seed)
    if not here:
        raise UserError(
            f"study '{study.name}': nothing here is left to publish; "
            f"`python -m benchmark study {study.name}` runs what is not there"
        )
    return {
        name: publish(
            results, suite=study.suite, model=study.model, method=name, seeds=seeds,
            replace=replace, study=study.name,
        )
        for name, seeds in here.items()
    }  # fmt: skip


def _study_of(row: str, *, suite: str, model: str) -> str | None:
    """The study that a row with settings or a preset of its own was made for; a plain method is the
    board's."""
    if "+" not in row and "@" not in row:
        return None
    for study in all_studies():
        if (study.suite, study.model) == (suite, model) and study.row(row) is not None:
            return study.name
    return None


def publish(
    results: Results,
    *,
    suite: str,
    model: str,
    method: str,
    seeds: Sequence[int] | None = None,
    replace: bool = False,
    study: str | None = None,
) -> Published:
    """Copy a method's runs to results/published, their rankability judged anew, all or none.

    `seeds` None takes every whole run there is. Raises `UserError` for a run that is missing, did
    not finish, was limited, whose verdicts are not the ones it was scored on, or, without
    `replace`, in whose place another run is published. What keeps a row from being ranked does not
    keep it from being published: it will stand below the line. With `study` they go to that study,
    and the main board never shows them.
    """
    runs = _chosen(results, suite=suite, model=model, method=method, seeds=seeds)
    for run in runs:
        _refuse(run)
    facts = runs[0].record.suite
    assert facts is not None, "a run that is done has resolved its suite"
    plan = facts.plan
    reasons = row_reasons(
        [run.record for run in runs], {run.record.run_id: run.rows for run in runs}, plan=plan
    )
    paths = [
        results.published(suite=suite, model=model, method=method, seed=run.record.spec.seed)
        if study is None
        else results.published_study(
            study=study, model=model, method=method, seed=run.record.spec.seed
        )
        for run in runs
    ]
    for run, path in zip(runs, paths, strict=True):
        if not replace:
            _keep_others(run, path)
    for run, path in zip(runs, paths, strict=True):
        record = run.record.model_copy(
            update={"rankable": not reasons, "unrankable_reasons": reasons}
        )
        write_rows(path, run.rows, run.likelihoods, run.matches)
        write_atomic(path, record.model_dump_json(indent=1) + "\n")
    if replace and all(run.record.method.deterministic for run in runs):
        _remove_repeats(paths)
    return Published(records=paths, reasons=reasons, reference=runs[0].record.method.reference_row)


def _chosen(
    results: Results, *, suite: str, model: str, method: str, seeds: Sequence[int] | None
) -> list[LoadedRun]:
    folder = board_folder(results.local_records, suite=suite, model=model)
    if seeds is not None:
        paths = [results.record(suite=suite, model=model, method=method, seed=s) for s in seeds]
        return [read_run(path, source="local") for path in paths]
    mine, warnings = read_runs(
        folder, source="local", wanted=lambda record: record.spec.method == method
    )
    whole = [run for run in mine if run.record.spec.limit is None]
    # A damaged record bears no name, and may be the one that is looked for.
    if warnings and not whole:
        raise UserError(warnings[0].removeprefix("left out: "))
    if mine and not whole:
        raise UserError(
            f"method '{method}': every run here is limited; only the full suite is published"
        )
    if not whole:
        raise UserError(
            f"no local run of method '{method}' on model '{model}', suite '{suite}'; "
            f"make one with `make bench METHOD={method} MODEL={model} SUITE={suite}`"
        )
    return whole


def _keep_others(run: LoadedRun, path: Path) -> None:
    """A published figure must not change because somebody ran the same thing again."""
    if not path.exists():
        return
    there, mine = read_record(path), run.record
    if (there.ended_at, there.keys) != (mine.ended_at, mine.keys):
        raise UserError(
            f"{path} is published already, of a run that ended {there.ended_at}; "
            "--replace puts yours in its place"
        )


def _remove_repeats(paths: Sequence[Path]) -> None:
    """Other seeds of a method that does not depend on them say the same again, or what was so."""
    for path in paths[0].parent.glob("*.json"):
        if path not in paths:
            path.unlink()
            remove_rows(path)


def _refuse(run: LoadedRun) -> None:
    record = run.record
    if record.status != "done":
        raise UserError(f"{run.path}: {what_happened(record)}; only finished runs are published")
    if record.spec.limit is not None:
        raise UserError(
            f"{run.path}: limited to {record.spec.limit} items per set; only the full suite is "
            "published"
        )
    if "verdicts" not in record.digests:
        raise UserError(
            f"{run.path}: says nothing of the verdicts that it was made from; score the run again"
        )
