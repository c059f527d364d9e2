"""Generate: every sample is asked once, by a fixed batch plan, and what is on disk stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.api import Hook
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.paths import ANSWERS
from benchmark.core.records import Response, StageCost
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, digest
from benchmark.cost.budget import Budget
from benchmark.cost.meter import LEDGER, Begun, Meter, ignore
from benchmark.data.samples import fingerprint
from benchmark.engines.endpoint import EndpointEngine, Note
from benchmark.engines.local import LocalEngine
from benchmark.progress import Reporter
from benchmark.stages.artifact import Artifact
from benchmark.stages.folder import StageFolder
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import ANSWERING_CODE, Run, code_digest


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Responses by sample id, all samples among them."""

    key: str
    folder: Path
    responses: Mapping[str, Response]
    cost: StageCost
    from_cache: bool


def answer(
    run: Run,
    artifact: Artifact,
    samples: Sequence[Sample],
    *,
    loaded: Loaded,
    reporter: Reporter,
    label: str = "generate",
    again: bool = False,
    begun: Begun = ignore,
    budget: Budget | None = None,
) -> Answered:
    """Ask the artifact's model all samples; goes on at the first unfinished batch.

    `again` forgets the answers that are there.
    """
    key = _key(run, artifact, samples)
    stage = StageFolder(run.results.root, "generate", key)
    with stage.lock(lambda who: reporter.note(f"waiting: {who} is asking these very questions")):
        if again:
            stage.clear()
        if stage.is_done():
            if budget is not None:
                budget.found(stage.path / LEDGER)
            return _answered(stage, samples, from_cache=True)
        begun(stage.path)
        _ask(
            run, artifact, samples, stage=stage, loaded=loaded, reporter=reporter, label=label,
            budget=budget,
        )  # fmt: skip
        return _answered(stage, samples, from_cache=False)


def _key(run: Run, artifact: Artifact, samples: Sequence[Sample]) -> str:
    return digest(
        {
            "artifact": artifact.info.id,
            "samples": fingerprint(list(samples)),
            "max_new_tokens": run.spec.max_new_tokens,
            "batch_size": run.spec.batch_size,
            "engine": run.spec.engine,
            "endpoint": run.spec.endpoint and run.spec.endpoint.model_dump(),
            "precision": run.spec.precision,
            "device": run.spec.device,
            "code": code_digest(ANSWERING_CODE),
        }
    )


def _ask(
    run: Run,
    artifact: Artifact,
    samples: Sequence[Sample],
    *,
    stage: StageFolder,
    loaded: Loaded,
    reporter: Reporter,
    label: str,
    budget: Budget | None,
) -> None:
    log = JsonLines(stage.path / ANSWERS)
    there = {response.sample_id for response in log.read(Response)}
    engine = make_engine(run, artifact, loaded, note=reporter.note)
    meter = Meter(
        stage.path / LEDGER, device=run.spec.device, lendings=engine.lendings, budget=budget
    )
    tokens = [0, 0]
    with (
        meter.running(),
        reporter.bar(label, total=len(samples), done=len(there)) as advance,
    ):
        plan = engine.plan(samples, batch_size=run.spec.batch_size)
        # A torn batch is computed whole, since its answers depend on one another's padding, but
        # what was kept of it is not written twice.
        batches = [batch for batch in plan if any(sample.id not in there for sample in batch)]
        engine.prime([sample for batch in batches for sample in batch])
        for responses in engine.answers(batches):
            new = [response for response in responses if response.sample_id not in there]
            log.append(new)
            meter.beat()
            there.update(response.sample_id for response in new)
            advance(len(there), "")
    for response in log.read(Response):
        tokens[0] += response.n_prompt_tokens
        tokens[1] += response.n_answer_tokens
    cost = meter.cost(input_tokens=tokens[0], output_tokens=tokens[1])
    stage.finish({"n": len(samples), "cost": cost.model_dump(mode="json")})


def make_engine(
    run: Run, artifact: Artifact, loaded: Loaded, *, note: Note
) -> LocalEngine | EndpointEngine:
    """What the run asked for to answer for an artifact; `note` is told what goes wrong on the way.
    Raises `RunFailed` for what that engine cannot serve."""
    if run.spec.endpoint is None:
        return engine_of(run, artifact, loaded)
    if artifact.info.has_weights:
        raise RunFailed(f"method '{run.spec.method}' changed weights, and an endpoint has its own")
    return EndpointEngine(
        run.spec.endpoint,
        hooks=_hooks(run, artifact),
        max_new_tokens=run.spec.max_new_tokens,
        oracle=run.method.oracle,
        note=note,
    )


def engine_of(run: Run, artifact: Artifact, loaded: Loaded) -> LocalEngine:
    """What answers for an artifact here. Raises `RunFailed` for a hook that it cannot serve."""
    hooks = _hooks(run, artifact)
    model = loaded.unlearned(artifact.info.id, artifact.delta())
    if not hooks:
        # A hook may want the base below the adapter.
        model.fold()
    return LocalEngine(
        model,
        hooks=hooks,
        max_new_tokens=run.spec.max_new_tokens,
        oracle=run.method.oracle,
    )


def _hooks(run: Run, artifact: Artifact) -> Sequence[Hook]:
    hooks = run.method.hooks(artifact.state())
    unserved = [type(h).__name__ for h in hooks if run.spec.engine not in h.served_by]
    if unserved:
        raise RunFailed(f"hook {unserved[0]} cannot be served by engine '{run.spec.engine}'")
    return hooks


def _answered(stage: StageFolder, samples: Sequence[Sample], *, from_cache: bool) -> Answered:
    responses = {r.sample_id: r for r in JsonLines(stage.path / ANSWERS).read(Response)}
    missing = [sample.id for sample in samples if sample.id not in responses]
    if missing:
        raise UserError(
            f"{stage.path / ANSWERS} lacks an answer to '{missing[0]}', and the stage is done; "
            f"delete {stage.path} and run again"
        )
    cost = StageCost.model_validate(stage.manifest("cost")["cost"])
    return Answered(
        key=stage.key,
        folder=stage.path,
        responses=responses,
        cost=cost.model_copy(update={"from_cache": from_cache}),
        from_cache=from_cache,
    )
