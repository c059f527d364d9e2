"""Generate: every sample is asked once, by a fixed batch plan, and what is on disk stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.api import Hook
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.paths import ANSWERS
from benchmark.core.records import BatchCount, Response, Serving, StageCost
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, digest
from benchmark.cost.budget import Budget
from benchmark.cost.meter import LEDGER, Begun, Meter, ignore
from benchmark.data.samples import fingerprint
from benchmark.engines.engine import LOCAL, VLLM
from benchmark.engines.local import LocalEngine
from benchmark.engines.vllm_installed import installed_vllm
from benchmark.progress import Reporter
from benchmark.stages.answers import Answers
from benchmark.stages.artifact import Artifact
from benchmark.stages.folder import StageFolder
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import ANSWERING_CODE, Run, code_digest
from benchmark.stages.serving import check_served, local_engine, probe_of, serving


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Responses by sample id, all samples among them."""

    key: str
    folder: Path
    responses: Mapping[str, Response]
    cost: StageCost
    serving: Serving
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
    base: Mapping[str, Response] | None = None,
) -> Answered:
    """Ask the artifact's model all samples; goes on at the first unfinished batch.

    `again` forgets the answers that are there. `base` are those of the untouched model, from which
    another engine's must differ where the method changed weights.
    """
    key = _key(run, artifact, samples)
    stage = StageFolder(run.results.root, "generate", key)
    with stage.opened(
        "asking these very questions", note=reporter.note, again=again, begun=begun, budget=budget
    ) as from_cache:
        if not from_cache:
            _ask(
                run, artifact, samples, stage=stage, loaded=loaded, reporter=reporter, label=label,
                budget=budget, base=base,
            )  # fmt: skip
        answered = stored_answers(stage, samples, from_cache=from_cache)
    if (words := _not_given(run, answered.responses.values())) is not None:
        reporter.note(words)
    return answered


def _not_given(run: Run, responses: Collection[Response]) -> str | None:
    """In words, how many answers the endpoint never gave, and how they are asked for again: they
    are as much on disk as others, so that a second run finds them done."""
    n_missing = sum(response.error == "target_error" for response in responses)
    if not n_missing:
        return None
    # What stands behind an @ is not typed.
    row = run.spec.method.partition("@")[0]
    return (
        f"{n_missing} of {len(responses)} answers of '{run.spec.method}' are missing, since the "
        "endpoint gave none (target_error): they are not scored, and the same command with "
        f"`--method {row} --force` asks all of them anew"
    )


def _key(run: Run, artifact: Artifact, samples: Sequence[Sample]) -> str:
    engine = run.spec.engine
    return digest(
        {
            "artifact": artifact.info.id,
            "samples": fingerprint(list(samples)),
            "max_new_tokens": run.spec.max_new_tokens,
            "batch_size": run.spec.batch_size,
            "engine": engine if engine != VLLM else f"{engine} {installed_vllm().version}",
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
    base: Mapping[str, Response] | None,
) -> None:
    answers, probe = Answers(stage.path), probe_of(run, samples)
    with serving(
        run, artifact, samples, probe=probe, loaded=loaded, folder=stage.path, note=reporter.note
    ) as served:
        meter = Meter(
            stage.path / LEDGER, device=run.spec.device, lendings=served.engine.lendings,
            budget=budget,
        )  # fmt: skip
        bar = reporter.bar(label, total=len(samples), done=len(answers.there))
        with meter.running(), bar as advance:

            def stored() -> None:
                meter.beat()
                advance(len(answers.there), "")

            ask = partial(
                answers.ask, served.engine,
                batch_size=run.spec.batch_size, stored=stored, note=reporter.note,
            )  # fmt: skip
            # First, so that nothing else is asked of weights that are not the method's.
            batches = ask(probe)
            figures = check_served(run, artifact, served, answers.there, base=base)
            probed = {sample.id for sample in probe}
            batches += ask([sample for sample in samples if sample.id not in probed])
    said = answers.there.values()
    cost = meter.cost(
        input_tokens=sum(response.n_prompt_tokens for response in said),
        output_tokens=sum(response.n_answer_tokens for response in said),
    )
    how = Serving(
        engine=run.spec.engine,
        version=served.version,
        form=served.form,
        batches=_counted(batches),
        probe=figures,
    )
    told = {"cost": cost.model_dump(mode="json"), "serving": how.model_dump(mode="json")}
    stage.finish({"n": len(samples), **told})


def _counted(batches: Sequence[Sequence[Sample]]) -> list[BatchCount]:
    """By size, the largest first."""
    counts = Counter(len(batch) for batch in batches)
    return [BatchCount(size=size, n=n) for size, n in sorted(counts.items(), reverse=True)]


def engine_of(run: Run, artifact: Artifact, loaded: Loaded) -> LocalEngine:
    """What answers for an artifact in this process, to be looked into. Raises `RunFailed` for a
    hook that it cannot serve."""
    check_hooks(run.method.hooks(artifact.state()))
    return local_engine(run, artifact, loaded)


def check_hooks(hooks: Sequence[Hook]) -> None:
    """Raise `RunFailed` for a hook that nothing in this process can serve."""
    unserved = [type(hook).__name__ for hook in hooks if LOCAL not in hook.served_by]
    if unserved:
        raise RunFailed(f"hook {unserved[0]} cannot be served by engine '{LOCAL}'")


def stored_answers(stage: StageFolder, samples: Sequence[Sample], *, from_cache: bool) -> Answered:
    """What a finished stage holds; `UserError` where an answer is gone."""
    responses = {r.sample_id: r for r in JsonLines(stage.path / ANSWERS).read(Response)}
    missing = [sample.id for sample in samples if sample.id not in responses]
    if missing:
        raise UserError(
            f"{stage.path / ANSWERS} lacks an answer to '{missing[0]}', and the stage is done; "
            f"delete {stage.path} and run again"
        )
    manifest = stage.manifest("cost", "serving")
    cost = StageCost.model_validate(manifest["cost"])
    return Answered(
        key=stage.key,
        folder=stage.path,
        responses=responses,
        cost=cost.model_copy(update={"from_cache": from_cache}),
        serving=Serving.model_validate(manifest["serving"]),
        from_cache=from_cache,
    )
