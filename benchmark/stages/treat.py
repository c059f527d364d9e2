"""Treat: what is done to a finished model after its method, found again by content or done now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import JsonValue, TypeAdapter

from benchmark.core.config import build, to_json
from benchmark.core.records import StageCost
from benchmark.core.rows import row_name, split_row
from benchmark.core.sources import digest_code
from benchmark.core.store import digest
from benchmark.cost.meter import LEDGER, Meter
from benchmark.data.samples import fingerprint
from benchmark.progress import Reporter
from benchmark.stages.artifact import Artifact
from benchmark.stages.folder import StageFolder
from benchmark.stages.resolve import TRAINING_CODE, Run, code_digest
from benchmark.stages.surroundings import restored
from benchmark.training.counting import Counted
from benchmark.treating import Patient, State, Treatment, Watch
from benchmark.treatments import FOLDER, check_row

_STATES = TypeAdapter(tuple[State, ...])


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A treatment under its row's name and settings, with the digest of its source."""

    row: str
    treatment: Treatment[Any]
    settings: Mapping[str, JsonValue]
    source_sha256: str


@dataclass(frozen=True, kw_only=True)
class Treated:
    """What a treatment left behind: models to be asked, their weights in `folder`."""

    key: str
    folder: Path
    states: tuple[State, ...]
    cost: StageCost


def chosen_of(row: str) -> Chosen:
    """The treatment behind `relearn` or `relearn+examples=8`. Raises `UserError` for a name that is
    not there and for settings that it does not have."""
    check_row(row)
    name, typed = split_row(row)
    plugin: type[Treatment[Any]] = import_module(f"benchmark.treatments.{name}").TREATMENT
    config = build(plugin.Config, typed, where=f"treatment '{name}'")
    shared = sorted(FOLDER.glob("_[!_]*.py"))
    return Chosen(
        row=row_name(name, typed),
        treatment=plugin(config),
        settings=to_json(config),
        source_sha256=digest([digest_code(path) for path in (FOLDER / f"{name}.py", *shared)]),
    )


def treat_key(chosen: Chosen, patient: Patient, *, run: Run, artifact: Artifact) -> str:
    """Digest of all that changes what the treatment makes: the artifact's own key, the treatment
    with its settings and source, the samples that it uses, and how the model is held."""
    material = chosen.treatment.material(patient)
    return digest(
        {
            "artifact": artifact.info.id,
            "treatment": [chosen.row, dict(chosen.settings), chosen.source_sha256],
            "material": {
                name: fingerprint(list(pool.samples)) for name, pool in sorted(material.items())
            },
            # What draws nothing is the same for every seed.
            "seed": patient.seed if material else None,
            "precision": run.spec.precision,
            "device": run.spec.device,
            "code": code_digest(TRAINING_CODE),
        }
    )


def treat(
    chosen: Chosen, patient: Patient, *, run: Run, artifact: Artifact, reporter: Reporter
) -> Treated:
    """Found finished, or done now, from a checkpoint if there is one. Raises `NotPossible` with the
    reason where this machine or this kind of method cannot have it."""
    key = treat_key(chosen, patient, run=run, artifact=artifact)
    stage = StageFolder(run.results.root, "treat", key)
    with stage.opened("treating this very model", note=reporter.note) as from_cache:
        if not from_cache:
            _do(chosen, patient, stage=stage, run=run, reporter=reporter)
        told = stage.manifest("states", "cost")
    cost = StageCost.model_validate(told["cost"])
    return Treated(
        key=key,
        folder=stage.path,
        states=_STATES.validate_python(told["states"]),
        cost=cost.model_copy(update={"from_cache": from_cache}),
    )


def _do(
    chosen: Chosen, patient: Patient, *, stage: StageFolder, run: Run, reporter: Reporter
) -> None:
    """Under the meter, loading included; what is left behind in the process is put back."""
    counted = Counted()
    meter = Meter(stage.path / LEDGER, device=run.spec.device)
    with meter.running(), restored(), _watching(chosen, stage, meter, counted, reporter) as watch:
        states = chosen.treatment.treat(patient, watch)
    cost = meter.cost(counted, flops=counted.flops) if counted.n_tokens else meter.cost()
    stage.finish(
        {
            "states": _STATES.dump_python(tuple(states), mode="json"),
            "cost": cost.model_dump(mode="json"),
        }
    )


@contextmanager
def _watching(
    chosen: Chosen, stage: StageFolder, meter: Meter, counted: Counted, reporter: Reporter
) -> Iterator[Watch]:
    with reporter.bar(chosen.row, total=0) as advance:
        yield Watch(
            folder=stage.path,
            report=lambda step, n_steps: advance(step, "", n_steps),
            kept=meter.beat,
            overdue=meter.is_overdue,
            counted=counted,
        )
