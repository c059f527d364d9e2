"""Likelihoods: what given answers about persons are worth to a model, right and wrong ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmark.core.errors import UserError
from benchmark.core.forgetting import Likelihood
from benchmark.core.plan import Plan
from benchmark.core.records import StageCost
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, digest
from benchmark.cost.budget import Budget
from benchmark.cost.meter import LEDGER, Begun, Meter, ignore
from benchmark.data.samples import fingerprint
from benchmark.engines.engine import OPENAI
from benchmark.likelihoods.given import GivenAnswers
from benchmark.progress import Reporter
from benchmark.stages.answer import check_hooks
from benchmark.stages.artifact import Artifact
from benchmark.stages.folder import StageFolder
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import ANSWERING_CODE, Run, code_digest
from benchmark.stages.samples import about_of
from benchmark.stages.serving import unlearned_model

LIKELIHOODS = "likelihoods.jsonl"
CODE = (*ANSWERING_CODE, "benchmark/likelihoods", "benchmark/training")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Likelihoods by sample id, of all that are asked for them."""

    key: str
    there: Mapping[str, Likelihood]
    cost: StageCost | None
    """None where nothing was measured."""


def likelihoods(
    run: Run,
    artifact: Artifact,
    samples: Sequence[Sample],
    *,
    plan: Plan,
    loaded: Loaded,
    reporter: Reporter,
    begun: Begun = ignore,
    budget: Budget | None = None,
) -> Measured:
    """Of the samples about persons that the suite wants them of; goes on at the first unfinished
    batch. An endpoint gives none, and its rows say so."""
    asked = measured_samples(samples, plan)
    key = digest(
        {
            "artifact": artifact.info.id,
            "samples": fingerprint(asked),
            "batch_size": run.spec.batch_size,
            "precision": run.spec.precision,
            "device": run.spec.device,
            "code": code_digest(CODE),
        }
    )
    if run.spec.engine == OPENAI or not asked:
        none = {s.id: Likelihood(sample_id=s.id, unscored="not_offered") for s in asked}
        return Measured(key=key, there=none, cost=None)
    stage = StageFolder(run.results.root, "likelihood", key)
    log = stage.path / LIKELIHOODS
    with stage.opened(
        "measuring these very answers", note=reporter.note, again=run.request.force, begun=begun,
        budget=budget,
    ) as from_cache:  # fmt: skip
        if not from_cache:
            _measure(run, artifact, asked, stage=stage, loaded=loaded, reporter=reporter,
                     budget=budget)  # fmt: skip
        manifest = stage.manifest("cost")
        there = {one.sample_id: one for one in JsonLines(log).read(Likelihood)}
    missing = [sample.id for sample in asked if sample.id not in there]
    if missing:
        raise UserError(
            f"{log} lacks the likelihoods of '{missing[0]}', and the stage is done; delete "
            f"{stage.path} and run again"
        )
    cost = StageCost.model_validate(manifest["cost"])
    return Measured(
        key=key,
        there=there,
        cost=cost.model_copy(update={"from_cache": from_cache}),
    )


def measured_samples(samples: Sequence[Sample], plan: Plan) -> list[Sample]:
    """Those whose given answers are measured. Of persons whom nobody was trained on the right
    answer alone: membership asks for no more, and it is a tenth of the work."""
    found = []
    for sample in samples:
        about = about_of(sample, plan)
        if about is None or not about.likelihoods:
            continue
        if about.group == "never_trained":
            sample = replace(sample, answers=replace(sample.answers, paraphrases=(), perturbed=()))
        found.append(sample)
    return found


def _measure(
    run: Run,
    artifact: Artifact,
    samples: Sequence[Sample],
    *,
    stage: StageFolder,
    loaded: Loaded,
    reporter: Reporter,
    budget: Budget | None,
) -> None:
    hooks = run.method.hooks(artifact.state())
    check_hooks(hooks)
    log = JsonLines(stage.path / LIKELIHOODS)
    there = {one.sample_id for one in log.read(Likelihood)}
    model = unlearned_model(artifact, loaded, hooks=hooks)
    given = GivenAnswers(model, hooks=hooks, oracle=run.method.oracle)
    meter = Meter(
        stage.path / LEDGER, device=run.spec.device, lendings=given.lendings, budget=budget
    )
    with meter.running(), reporter.bar("likelihood", total=len(samples), done=len(there)) as bar:
        batches = given.plan(samples, batch_size=run.spec.batch_size)
        left = [batch for batch in batches if any(one.id not in there for one in batch)]
        given.prime([sample for batch in left for sample in batch])
        for found in given.measures(left):
            new = [one for one in found if one.sample_id not in there]
            log.append(new)
            there |= {one.sample_id for one in new}
            meter.beat()
            bar(len(there), "")
    stage.finish({"n": len(samples), "cost": meter.cost().model_dump(mode="json")})
