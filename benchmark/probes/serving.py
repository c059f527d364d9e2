"""A method as it would answer, trained if it is not yet, for probes that look inside."""

from __future__ import annotations

from benchmark.core.errors import UserError, unknown
from benchmark.core.samples import Sample
from benchmark.engines.local import LocalEngine
from benchmark.progress import Reporter
from benchmark.stages.answer import engine_of
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import Run, RunRequest, resolve
from benchmark.stages.samples import evaluation_samples
from benchmark.stages.train import load_pools, train
from benchmark.vlm.perception import Perceptions


def serving(request: RunRequest, *, reporter: Reporter) -> tuple[Run, LocalEngine]:
    """The resolved run and the engine of its artifact, which is found finished or made now."""
    run = resolve(request)
    loaded = Loaded(
        run.model_card,
        precision=run.spec.precision,
        device=run.spec.device,
        perceptions=Perceptions(),
    )
    artifact = train(run, pools=load_pools(run), loaded=loaded, reporter=reporter)
    return run, engine_of(run, artifact, loaded)


def asked_with_images(run: Run) -> list[Sample]:
    """All samples of the suite's evaluation that show a picture."""
    samples = evaluation_samples(run.suite.evaluation, images=run.images, limit=None)
    return [sample for sample in samples if sample.images]


def sample_of(run: Run, sample_id: str) -> Sample:
    """The sample of the evaluation with this id. Raises `UserError` for one without a picture."""
    samples = evaluation_samples(run.suite.evaluation, images=run.images, limit=None)
    by_id = {sample.id: sample for sample in samples}
    if sample_id not in by_id:
        unknown(f"sample of suite '{run.suite.name}'", sample_id, by_id)
    if not by_id[sample_id].images:
        raise UserError(f"sample '{sample_id}' is asked without a picture: there are no tokens")
    return by_id[sample_id]
