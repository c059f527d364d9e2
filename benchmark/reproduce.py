"""Does a published run come out again? Everything is done anew, in a folder of its own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from benchmark.core.errors import RunFailed, UserError
from benchmark.core.records import RunRecord
from benchmark.core.store import Results
from benchmark.models import load_card
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, run
from benchmark.stages.resolve import resolve
from benchmark.suites import load_suite
from benchmark.tables.reproduced import Reproduced, moved, reproduced
from benchmark.tables.runs import LoadedRun
from benchmark.tables.verdicts import read_verdicts, verdicts_path


def reproduce(found: LoadedRun, *, request: RunRequest, reporter: Reporter) -> Reproduced:
    """Run what a record says, as `as_recorded` asks for it, and compare.

    Raises `UserError` for a record that is not of a finished run, and `RunFailed` where the run
    does not finish now.
    """
    record = found.record
    if record.status != "done":
        raise UserError(f"{found.path}: this run {record.status}; there is nothing to reproduce")
    if _has_ended(request):
        # What an attempt found is not found again, it is done again.
        shutil.rmtree(request.results)
    again = run(request, reporter=reporter)
    if again.status != "done":
        raise RunFailed(f"{record.spec.method} {again.status} this time: {again.error}")
    rows = read_verdicts(verdicts_path(Results(request.results).record_of(again.spec)))
    return reproduced(
        record, again,
        moved=moved(found.rows, rows), path=str(found.path), folder=str(request.results),
    )  # fmt: skip


def as_recorded(
    record: RunRecord, *, folder: Path, device: str | None, suite: str | None, model: str | None
) -> RunRequest:
    """The same row, in `folder`, where nothing is found done but an earlier attempt of this. Where
    its settings have been chosen anew since, they are the recorded ones.

    A record knows suite and model by their names. One that is a file or a folder of the user's own
    must be given again; `UserError` where it is not the same one.
    """
    spec = record.spec
    if spec.remote_code is not None:
        raise UserError(
            f"this run took code of its checkpoint's own ({spec.remote_code}), which is not run "
            "again unasked: `run --trust-remote-code` does"
        )
    if spec.endpoint is not None:
        raise UserError(
            f"'{spec.endpoint.model}' at {spec.endpoint.url} answered in this run: what is served "
            f"there may have changed; `run --engine {spec.engine}` asks it again"
        )
    suite = suite or spec.suite
    if load_suite(suite).name != spec.suite:
        raise UserError(f"--suite {suite} is not '{spec.suite}', on which this run was made")
    model = model or spec.model
    if load_card(model).name != spec.model:
        raise UserError(f"--model {model} is not '{spec.model}', on which this run was made")
    asked = RunRequest(
        method=spec.method.partition("@")[0],
        model=model,
        suite=suite,
        seed=spec.seed,
        limit=spec.limit,
        preset=spec.preset,
        gradient_checkpointing=spec.gradient_checkpointing,
        device=device or spec.device,
        engine=spec.engine,
        results=folder,
    )
    if resolve(asked).spec.config == spec.config:
        return asked
    return replace(asked, method=record.method.name, overrides=spec.config, tuned=False)


def _has_ended(request: RunRequest) -> bool:
    """Is there a record of an attempt that was not interrupted?"""
    path = Results(request.results).record_of(resolve(request).spec)
    return path.exists() or path.with_name(f"{path.stem}.failed.json").exists()
