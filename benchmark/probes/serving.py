"""A method as it would answer, trained if it is not yet, for probes that look inside."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.core.errors import UserError, unknown
from benchmark.core.samples import Sample
from benchmark.engines.local import LocalEngine
from benchmark.progress import Reporter
from benchmark.stages.answer import engine_of
from benchmark.stages.artifact import Artifact
from benchmark.stages.loaded import Loaded
from benchmark.stages.pools import load_pools
from benchmark.stages.resolve import Run, RunRequest, resolve
from benchmark.stages.samples import evaluation_samples
from benchmark.stages.shortage import shortage_in_one_line
from benchmark.stages.train import train
from benchmark.vlm.perception import Perceptions


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A resolved run, what it left behind, and where its model is loaded."""

    run: Run
    artifact: Artifact
    loaded: Loaded


def trained(request: RunRequest, *, reporter: Reporter) -> Trained:
    """The artifact of this run, which is found finished or made now. Raises `RunFailed` where
    memory runs out meanwhile."""
    run = resolve(request)
    loaded = Loaded(
        run.model_card,
        precision=run.spec.precision,
        device=run.spec.device,
        perceptions=Perceptions(),
        own_code=run.request.trust_remote_code,
    )
    with shortage_in_one_line(run.spec):
        artifact = train(run, pools=load_pools(run), loaded=loaded, reporter=reporter)
    return Trained(run=run, artifact=artifact, loaded=loaded)


def serving(request: RunRequest, *, reporter: Reporter) -> tuple[Run, LocalEngine]:
    """The resolved run and the engine of its artifact."""
    made = trained(request, reporter=reporter)
    return made.run, engine_of(made.run, made.artifact, made.loaded)


def asked_with_images(run: Run) -> list[Sample]:
    """All samples of the suite's evaluation that show a picture."""
    samples = evaluation_samples(run.suite.evaluation, images=run.images, limit=None)
    return [sample for sample in samples if sample.images]


def sample_of(run: Run, sample_id: str) -> Sample:
    """The sample of the evaluation with this id. Raises `UserError` for one that it lacks."""
    samples = evaluation_samples(run.suite.evaluation, images=run.images, limit=None)
    by_id = {sample.id: sample for sample in samples}
    if sample_id not in by_id:
        unknown(f"sample of suite '{run.suite.name}'", sample_id, by_id)
    return by_id[sample_id]


def pictured_sample_of(run: Run, sample_id: str) -> Sample:
    """The same; raises `UserError` also for one without a picture."""
    found = sample_of(run, sample_id)
    if not found.images:
        raise UserError(f"sample '{sample_id}' is asked without a picture: there are no tokens")
    return found
