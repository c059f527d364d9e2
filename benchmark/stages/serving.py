"""The engine of an artifact, ready to be asked, and whether what it serves is that artifact."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.api import Hook
from benchmark.core.errors import RunFailed
from benchmark.core.records import Response, ServedProbe
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, writing
from benchmark.engines.endpoint import EndpointEngine, Note
from benchmark.engines.engine import LOCAL, VLLM, Engine
from benchmark.engines.local import LocalEngine
from benchmark.engines.served import ServedWeights, with_former_names
from benchmark.engines.vllm_installed import installed_vllm
from benchmark.engines.vllm_offline import VllmEngine
from benchmark.models import load_card
from benchmark.stages.artifact import Artifact
from benchmark.stages.canary import canary_samples
from benchmark.stages.loaded import Loaded, folder_of
from benchmark.stages.resolve import Run
from benchmark.vlm.artifacts import ADAPTER, FULL, WeightsDelta
from benchmark.vlm.merging import write_merged
from benchmark.vlm.model import VisionLanguageModel

# Of greedy answers in fp32, where nothing but the order of sums differs between engines. No bar is
# known for coarser precisions: there the answers must be nearer to the method's than to the base's.
LEAST_ALIKE = {"fp32": 0.99}
PROBE = "probe.jsonl"


@dataclass(frozen=True, kw_only=True)
class Served:
    """An engine that can be asked, and what a record says of it."""

    engine: Engine
    version: str | None = None
    form: str | None = None
    expected: Mapping[str, Response] = field(default_factory=dict)
    """What transformers answers to the probe."""


def probe_of(run: Run, samples: Sequence[Sample]) -> list[Sample]:
    """Those of the samples on which an engine is held to what transformers says: inside the forget
    scope, and none where it is transformers that answers, or others with weights of their own."""
    return canary_samples(samples) if run.spec.engine == VLLM else []


@contextmanager
def serving(
    run: Run,
    artifact: Artifact,
    samples: Sequence[Sample],
    *,
    probe: Sequence[Sample],
    loaded: Loaded,
    folder: Path,
    note: Note,
) -> Iterator[Served]:
    """The engine that the run names, ready to be asked these samples; what it needs on disk lies in
    `folder` until the block ends. `note` is told what an endpoint did not answer."""
    if run.spec.endpoint is not None:
        yield Served(engine=endpoint_engine(run, artifact, note=note))
        return
    local = local_engine(run, artifact, loaded)
    if run.spec.engine != VLLM:
        yield Served(engine=local, form=form_of(local.model, artifact))
        return
    vllm, at = installed_vllm(), folder / VLLM
    with writing(at):
        shutil.rmtree(at, ignore_errors=True)
        at.mkdir(parents=True)
    expected = _expected(
        local, probe, kept=JsonLines(folder / PROBE), batch_size=run.spec.batch_size
    )
    weights = _served_weights(artifact.delta(), run=run, artifact=artifact, loaded=loaded, to=at)
    engine = VllmEngine(
        local.model,
        weights,
        vllm=vllm,
        folder=at,
        n_images=max((len(sample.images) for sample in samples), default=0),
        max_new_tokens=run.spec.max_new_tokens,
        hooks=run.method.hooks(artifact.state()),
        oracle=run.method.oracle,
    )
    if not engine.looks_itself:
        # Two models do not fit where one does, and what is left of this one is its tokenizer.
        del local
        loaded.drop()
    try:
        engine.prime(samples)
        yield Served(engine=engine, version=vllm.version, form=weights.form, expected=expected)
    finally:
        engine.close()
    with writing(at):
        shutil.rmtree(at)


def endpoint_engine(run: Run, artifact: Artifact, *, note: Note) -> EndpointEngine:
    """The endpoint that the run names, behind the method's hooks. Raises `RunFailed` for changed
    weights, which it does not have."""
    assert run.spec.endpoint is not None, "a run that asks one"
    if artifact.info.has_weights:
        raise RunFailed(f"method '{run.spec.method}' changed weights, and an endpoint has its own")
    return EndpointEngine(
        run.spec.endpoint,
        hooks=run.method.hooks(artifact.state()),
        max_new_tokens=run.spec.max_new_tokens,
        oracle=run.method.oracle,
        note=note,
    )


def local_engine(run: Run, artifact: Artifact, loaded: Loaded) -> LocalEngine:
    """What transformers answers with for an artifact."""
    hooks = run.method.hooks(artifact.state())
    return LocalEngine(
        unlearned_model(artifact, loaded, hooks=hooks),
        hooks=hooks,
        max_new_tokens=run.spec.max_new_tokens,
        oracle=run.method.oracle,
    )


def unlearned_model(
    artifact: Artifact, loaded: Loaded, *, hooks: Sequence[Hook]
) -> VisionLanguageModel:
    """What a method left behind, to be asked through these hooks."""
    model = loaded.unlearned(artifact.info.id, artifact.delta())
    if not hooks:
        # A hook may want the base below the adapter.
        model.fold()
    return model


def form_of(model: VisionLanguageModel, artifact: Artifact) -> str:
    """In words, how the model that answers here holds what a method left behind."""
    if not artifact.info.has_weights:
        return "no weights trained"
    parts = ["weights trained in full"] if FULL in artifact.info.files else []
    if ADAPTER in artifact.info.files:
        how = "beside" if model.has_adapter else "merged into"
        parts.append(f"adapter {how} {model.precision} weights")
    delta = artifact.delta()
    if delta is None or delta.checkpoint is None:
        return ", ".join(parts)
    return f"{', '.join(parts)} over {delta.checkpoint}" if parts else "another checkpoint"


def _served_weights(
    delta: WeightsDelta | None, *, run: Run, artifact: Artifact, loaded: Loaded, to: Path
) -> ServedWeights:
    """Merged into a checkpoint where that rounds nothing, as transformers answers too. In coarser
    precisions an adapter goes beside the base, unless it adapts more than the language model, which
    is all that vLLM takes of one."""
    card = run.model_card
    if delta is not None and delta.checkpoint is not None:
        card = load_card(delta.checkpoint)
    base = folder_of(card)
    if delta is None or not delta.has_tensors:
        return ServedWeights(form="checkpoint", checkpoint=with_former_names(base, to=to / "base"))
    stays_beside = run.spec.precision != "fp32" and set(artifact.info.trained_roles) == {"language"}
    if delta.adapter is not None and not delta.full and stays_beside:
        return ServedWeights(
            form="adapter",
            checkpoint=with_former_names(base, to=to / "base"),
            adapter=artifact.folder,
            rank=delta.adapter.config.r,
        )
    loaded.drop()
    write_merged(to / "merged", delta, base=base, precision=run.spec.precision)
    return ServedWeights(
        form="merged", checkpoint=with_former_names(to / "merged", to=to / "renamed")
    )


def _expected(
    local: LocalEngine, probe: Sequence[Sample], *, kept: JsonLines, batch_size: int
) -> dict[str, Response]:
    """Answers of transformers to the probe, made once."""
    there = {response.sample_id: response for response in kept.read(Response)}
    missing = [sample for sample in probe if sample.id not in there]
    batches = local.plan(missing, batch_size=batch_size)
    local.prime(missing)
    for responses in local.answers(batches):
        kept.append(responses)
        there |= {response.sample_id: response for response in responses}
    return {sample.id: there[sample.id] for sample in probe}


def check_served(
    run: Run,
    artifact: Artifact,
    served: Served,
    answers: Mapping[str, Response],
    *,
    base: Mapping[str, Response] | None,
) -> ServedProbe | None:
    """The probe's figures; None without one. Raises `RunFailed` where the engine answers otherwise
    than transformers, or a method that changed weights like the untouched model."""
    if not served.expected:
        return None
    said = {name: answers[name].text for name in served.expected}
    alike = _alike(said, served.expected)
    as_base = _alike(said, base) if base is not None and artifact.info.has_weights else None
    n, bar = len(said), LEAST_ALIKE.get(run.spec.precision)
    name = f"served canary: engine {run.spec.engine}, {run.spec.method}"
    remedy = f"--engine {LOCAL} answers with the method's own"
    if (bar is not None and alike < bar * n) or (bar is None and alike <= (as_base or 0)):
        asked = f"{bar:.0%} are asked for" if bar is not None else f"{as_base} as the untouched one"
        raise RunFailed(
            f"{name}: {alike} of {n} probes are answered as transformers does, {asked}: these are "
            f"other weights; {remedy}"
        )
    if as_base == n:
        raise RunFailed(
            f"{name}: all {n} probes in the forget scope are answered as by the untouched model: "
            f"nothing shows that the method's weights are served; {remedy}"
        )
    return ServedProbe(n=n, n_agree=alike, n_changed=None if as_base is None else n - as_base)


def _alike(said: Mapping[str, str | None], others: Mapping[str, Response]) -> int:
    return sum(text == others[name].text for name, text in said.items())
