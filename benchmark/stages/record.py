"""The record that is made of a run at any moment, of what is known of it by then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.core import environment, registry
from benchmark.core.attack_records import Transformation
from benchmark.core.config import merge
from benchmark.core.entries import Entry
from benchmark.core.errors import UserError
from benchmark.core.records import (
    DataUse,
    Keys,
    MethodInfo,
    RunRecord,
    RunSpec,
    Status,
)
from benchmark.core.rows import row_name, split_row
from benchmark.core.store import Results, digest, write_atomic
from benchmark.data.pools import licence_notes
from benchmark.scoring.rankability import run_reasons
from benchmark.stages.charged import cost_of, system_of
from benchmark.stages.known import Known
from benchmark.stages.leaks import leaks_of
from benchmark.stages.plans import facts_of
from benchmark.stages.resolve import RunRequest
from benchmark.stages.samples import uses_of
from benchmark.stages.transformations import notes_of, transformations
from benchmark.tables.forgetting.rows import LIKELIHOODS, MATCHES
from benchmark.tables.runs import read_run, write_rows
from benchmark.tables.verdicts import verdicts_digest

UNKNOWN = "unknown"
# Of a record: of the machine and the moment, not of the run.
WRITTEN_WHERE = ("started_at", "ended_at", "git", "packages", "system")


def make_record(known: Known, *, status: Status, error: str | None, ended_at: str) -> RunRecord:
    """The record of what is known; one that is done says why it may not be ranked."""
    judged = known.judged
    drawn = _drawn(known)
    record = RunRecord(
        run_id=known.run.run_id if known.run else digest(_asked(known.request))[:16],
        status=status,
        error=error,
        failed_stage=known.stage if status != "done" else None,
        started_at=known.started_at,
        ended_at=ended_at,
        git=known.git,
        packages=environment.packages(),
        system=system_of(known.request.device),
        spec=_spec(known),
        suite=facts_of(known.run.suite) if known.run else None,
        keys=_keys(known),
        method=_method(known),
        # What an endpoint serves is known by its name alone.
        model_sha256=known.loaded.sha256 if known.loaded and not known.request.endpoint else None,
        base_answers_key=known.base_answers_key,
        selection=known.run.selection if known.run else None,
        data=_data(known),
        missing=list(known.run.missing) if known.run else [],
        scores=known.scores,
        judges=judged.judges if judged else [],
        cost=cost_of(known),
        training=known.artifact.info.training if known.artifact else None,
        canary=known.canary,
        serving=known.answered.serving if known.answered else None,
        leaks=leaks_of(known.run, pools=known.pools, samples=known.samples),
        notes=_notes(known, drawn),
        digests=_digests(known),
        attacks=known.attacked.attacks if known.attacked else [],
        transformations=drawn,
    )
    if status != "done" or known.plan is None or judged is None:
        return record
    reasons = run_reasons(record, judged.rows, plan=known.plan)
    return record.model_copy(update={"rankable": not reasons, "unrankable_reasons": reasons})


def save_record(known: Known, record: RunRecord) -> None:
    """Write the record, its text-free verdicts beside it, each wholly or not at all.

    A failed or interrupted attempt never takes the place of a run that is done, and one whose every
    stage was found done says nothing new of the run that is there.
    """
    results = Results(known.request.results)
    path = results.record_of(record.spec)
    if record.status != "done":
        path = path.with_name(f"{path.stem}.{record.status}.json")
    elif known.judged is not None:
        if _is_there(path, record):
            return
        write_rows(path, known.judged.rows, known.likelihoods, known.matches)
    write_atomic(path, record.model_dump_json(indent=1) + "\n")


def _is_there(path: Path, record: RunRecord) -> bool:
    """Is this very run on record, of a clean tree, and is there nothing new to say of it?"""
    if record.cost is None or not all(stage.from_cache for stage in record.cost.stages.values()):
        return False
    try:
        there = read_run(path, source="local")
    except UserError:
        return False
    whole = verdicts_digest(there.rows) == record.digests.get("verdicts")
    if not whole or there.record.git.dirty is not False:
        return False
    # On a tree that is edited by now a run is not rankable, but this is about the run as it was.
    aside = {"rankable", "unrankable_reasons"} if record.git.dirty else set()
    return _told(there.record, aside) == _told(record, aside)


def _told(record: RunRecord, aside: set[str]) -> dict[str, Any]:
    """What a record says, but for when and where it was written and what was found done."""
    told = record.model_dump(exclude={*aside, *WRITTEN_WHERE})
    for cost in told["cost"]["stages"].values():
        del cost["from_cache"]
    return told


def _asked(request: RunRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "model": request.model,
        "suite": request.suite,
        "seed": request.seed,
        "limit": request.limit,
        "overrides": dict(request.overrides),
    }


def _spec(known: Known) -> RunSpec:
    if known.run is not None:
        return known.run.spec
    request = known.request
    plugin, in_name = split_row(request.method)
    overrides = merge(in_name, request.overrides)
    return RunSpec(
        method=row_name(Path(plugin).stem, overrides),
        config=overrides,
        model=request.model,
        suite=request.suite,
        seed=request.seed,
        limit=request.limit,
        engine=request.engine,
        device=request.device,
        precision=UNKNOWN,
        max_new_tokens=0,
        batch_size=0,
    )


def _method(known: Known) -> MethodInfo:
    entry = known.run.entry if known.run else _entry(known.request.method)
    info = known.artifact.info if known.artifact else None
    method = known.run.method if known.run else None
    return MethodInfo(
        name=entry.name if entry else known.request.method,
        origin=entry.origin if entry else UNKNOWN,
        source_sha256=entry.source_sha256 if entry else "",
        summary=entry.summary if entry else "",
        reference_row=bool(method and method.reference_row),
        deterministic=bool(known.run and known.run.has_one_outcome),
        oracle=bool(method and method.oracle),
        trained_roles=info.trained_roles if info else {},
        trainable_params=info.trainable_params if info else 0,
        total_params=info.total_params if info else 0,
        served_by=info.served_by if info else [],
        hooks=info.hooks if info else [],
    )


def _entry(method: str) -> Entry | None:
    try:
        return registry.entry("method", split_row(method)[0])
    except UserError:
        return None


def _keys(known: Known) -> Keys:
    judged = known.judged
    scored = digest([s.model_dump(mode="json") for s in known.scores]) if known.scores else None
    return Keys(
        train=known.artifact.key if known.artifact else None,
        generate=known.answered.key if known.answered else None,
        judge=judged.key if judged else None,
        score=scored,
    )


def _data(known: Known) -> list[DataUse]:
    trained = [use for pool in known.pools.values() for use in pool.uses]
    # What the suite gives; pictures that were found for this very model are its own.
    given = known.attacked.given if known.attacked else known.samples
    return [*trained, *uses_of(given)]


def _drawn(known: Known) -> list[Transformation]:
    """What the requests were dressed up by."""
    if known.run is None or not known.samples:
        return []
    return transformations(known.run.evaluation, images=known.run.images)


def _notes(known: Known, drawn: Sequence[Transformation]) -> list[str]:
    """What a reader of its figures must know: of the model, of fonts, of what was trained on."""
    cautions = known.run.cautions if known.run else ()
    return [*cautions, *notes_of(drawn), *licence_notes(known.pools.values())]


def _digests(known: Known) -> dict[str, str]:
    found = {}
    if known.answered:
        found["answers"] = digest(
            [r.model_dump(mode="json") for _, r in sorted(known.answered.responses.items())]
        )
    if known.judged:
        found["verdicts"] = verdicts_digest(known.judged.rows)
    if known.likelihoods:
        found["likelihoods"] = LIKELIHOODS.digest(known.likelihoods)
    if known.matches:
        found["matches"] = MATCHES.digest(known.matches)
    return found
