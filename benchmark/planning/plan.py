"""Plan a run: everything is looked up and reckoned, nothing is loaded, trained or asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmark.api import Method, TrainingConfig
from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.core.records import RunSpec
from benchmark.core.roles import computed_in
from benchmark.core.rows import BASE, split_row
from benchmark.core.samples import Sample
from benchmark.cost import memory
from benchmark.cost.parameters import Parts, parts_of
from benchmark.cost.pictures import Pictures
from benchmark.data.pools import Pool, load_pool
from benchmark.models.shape import Shape
from benchmark.planning.answers import answering, reading
from benchmark.planning.checkpoint import Described, described, shape_of_card
from benchmark.planning.hours import Clock, Hours
from benchmark.planning.planned import Planned, PlannedStage
from benchmark.planning.rehearsed import PhaseAsked, rehearse
from benchmark.planning.sizes import ByProcessor, ByRule
from benchmark.planning.work import Model, Work, training
from benchmark.stages.plans import COHERENCE
from benchmark.stages.pools import load_pools
from benchmark.stages.resolve import Run, RunRequest, settle
from benchmark.stages.samples import evaluation_samples
from benchmark.suites import check_fits

CHARACTERS_PER_TOKEN = 4.0
"""OpenAI's rule for English text, "What are tokens and how to count them?", help.openai.com."""


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What is to be planned; `run` is one seed of it. `characters_per_token` counts where there is
    no tokenizer."""

    run: RunRequest
    seeds: tuple[int, ...]
    clock: Clock
    characters_per_token: float = CHARACTERS_PER_TOKEN


def plan(request: PlanRequest) -> Planned:
    """The plan. Raises `UserError` as a run would, but not for a suite that does not fit the model,
    which is noted, nor for weights that are not here."""
    run = settle(request.run)
    card = run.model_card
    folder = card.found()
    here = described(folder) if folder is not None else None
    shape = here.shape() if here is not None else shape_of_card(card)
    parts = parts_of(card.known_family, shape)
    model = _model(run, shape, here, request)
    pools = load_pools(run)
    plugin, _ = split_row(request.run.method)
    phases = rehearse(plugin, run.method.config)
    trained = training(phases, pools, model, seed=run.effective_seed)
    samples = evaluation_samples(run.evaluation, images=run.images, limit=run.spec.limit)
    asked = _asked(run, samples, model)
    judged = _judged(run, samples, model)
    n_runs = 1 if run.method.deterministic else len(request.seeds)
    clock = request.clock.reading(run, weight_bytes=_weights(parts, run.spec))
    stages = _stages(trained, asked, judged, clock, n_runs=n_runs, base=run.entry.name == BASE)
    known = [stage.device_h for stage in stages if stage.device_h is not None]
    training_memory = _training_memory(phases, trained, shape, parts, spec=run.spec)
    answering_memory = _answering_memory(asked, shape, parts, run.spec)
    return Planned(
        method=run.spec.method,
        model=run.spec.model,
        suite=run.spec.suite,
        preset=run.spec.preset,
        n_seeds=n_runs,
        modality=_training_config(run, "modality"),
        precision=run.spec.precision,
        gradient_checkpointing=run.spec.gradient_checkpointing,
        tuning=_tuning(run),
        parameters=_parameters(phases, parts),
        device=clock.device,
        training_memory=training_memory,
        answering_memory=answering_memory,
        fits=clock.fits(max(sum(training_memory.values()), sum(answering_memory.values()))),
        disk=_disk(phases, parts, run, n_runs=n_runs),
        stages=stages,
        device_h=sum(known) if len(known) == len(stages) else None,
        assumptions=[*_size_assumptions(run, request), *clock.assumptions],
        notes=_notes(run, phases, trained),
    )


# -- what goes through the model ----------------------------------------------------------------


def _model(run: Run, shape: Shape, here: Described | None, request: PlanRequest) -> Model:
    pictures = Pictures(run.model_card.known_family, shape)
    sizes = (
        ByProcessor(here) if here is not None else ByRule(pictures, request.characters_per_token)
    )
    return Model(
        sizes=sizes,
        pictures=pictures,
        bytes_a_number=memory.BYTES[_computed(run.spec)],
        recomputes=run.spec.gradient_checkpointing,
    )


def _asked(run: Run, samples: Sequence[Sample], model: Model) -> Work:
    return answering(
        samples, model, batch_size=run.spec.batch_size, max_new_tokens=run.spec.max_new_tokens
    )


def _judged(run: Run, samples: Sequence[Sample], model: Model) -> Work:
    """Coherence: perplexities of answers to harmless prompts, and the bar, for which the untouched
    model answers the validation pool and reads its own answers. Each run is charged for it."""
    pool: Pool = load_pool(run.suite, "validation", "keep", "both", images=run.images)
    limit = run.spec.max_new_tokens
    purposes = registry.load("judge", COHERENCE).purposes
    harmless = [sample for sample in samples if sample.purpose in purposes]
    bar = _asked(run, pool.samples, model)
    works = [bar, *(reading(one, model, n_answer=limit) for one in (harmless, pool.samples))]
    done = replace(bar, n_samples=len(samples), heaviest=())
    for name in ("n_tokens", "n_image_tokens", "n_answer_tokens", "flops"):
        setattr(done, name, sum(getattr(work, name) for work in works))
    return done


def _stages(
    trained: Work, asked: Work, judged: Work, clock: Hours, *, n_runs: int, base: bool
) -> list[PlannedStage]:
    """Of the runs, and of the untouched model that they are compared with."""
    stages = [clock.train(trained, n_runs=n_runs)] if trained.n_steps else []
    stages += [clock.generate(asked, n_runs=n_runs), clock.judge(judged, n_runs=n_runs)]
    if not base:
        of_base = [clock.generate(asked, n_runs=1), clock.judge(judged, n_runs=1)]
        stages += [one.model_copy(update={"name": f"{BASE}: {one.name}"}) for one in of_base]
    return stages


# -- what it takes up ---------------------------------------------------------------------------


def _computed(spec: RunSpec) -> str:
    return computed_in(spec.precision, spec.device)


def _weights(parts: Parts, spec: RunSpec) -> float:
    return memory.weight_bytes(parts, spec.precision, computed=_computed(spec))


def _language(phases: Sequence[PhaseAsked]) -> TrainingConfig | None:
    """The settings of the phase that trains the language model."""
    return next((one.config for one in phases if "language" in one.config.trains), None)


def _training_memory(
    phases: Sequence[PhaseAsked],
    trained: Work,
    shape: Shape,
    parts: Parts,
    *,
    spec: RunSpec,
) -> dict[str, float]:
    """By part, for the step that takes most; empty where nothing is trained."""
    config = _language(phases)
    if config is None or not trained.n_steps:
        return {}
    tuning, rank, precision = config.trains["language"], config.lora_rank, spec.precision
    own, gradients = memory.trained_bytes(parts, tuning=tuning, rank=rank, precision=precision)
    kept = memory.kept_for_backward(
        shape.language, trained.heaviest, tuning=tuning, rank=rank, precision=precision,
        computed=_computed(spec),
        mask_bytes=0 if not config.lora_dropout else 4 if spec.device == "cpu" else 1,
        recomputed=spec.gradient_checkpointing,
    )  # fmt: skip
    states = trained.n_reference_states * shape.language.hidden
    return {
        "weights": _weights(parts, spec),
        "head as it was" if tuning == "full" else "adapter": own,
        "gradients": gradients,
        "optimiser states": memory.N_MOMENTS * gradients,
        "activations": kept,
        "logits": memory.logits_bytes(
            shape.language.vocabulary, trained.heaviest, computed=_computed(spec)
        ),
        "states of the reference": float(states * memory.BYTES[_computed(spec)]),
    }


def _answering_memory(asked: Work, shape: Shape, parts: Parts, spec: RunSpec) -> dict[str, float]:
    (batch,) = asked.heaviest or (memory.Batch(n_sequences=0, n_tokens=0, n_predicted=0),)
    said = replace(batch, n_predicted=batch.n_sequences)
    return {
        "weights": _weights(parts, spec),
        "keys and values": memory.cache_bytes(
            shape.language,
            n_sequences=batch.n_sequences, n_tokens=batch.n_tokens, computed=_computed(spec),
        ),
        "logits": memory.logits_bytes(shape.language.vocabulary, [said], computed=_computed(spec)),
    }  # fmt: skip


def _disk(phases: Sequence[PhaseAsked], parts: Parts, run: Run, *, n_runs: int) -> dict[str, float]:
    """The checkpoint, half precision as they are published or as it lies here; what each run leaves
    behind; and, while one trains, its moments beside that."""
    folder = run.model_card.found()
    there = sum(path.stat().st_size for path in folder.glob("*.safetensors")) if folder else 0
    disk = {"checkpoint": float(there or parts.parameters * memory.BYTES["bf16"])}
    config = _language(phases)
    if config is not None and config.steps:
        _, trained = memory.trained_bytes(
            parts, tuning=config.trains["language"], rank=config.lora_rank,
            precision=run.spec.precision,
        )  # fmt: skip
        disk["artifacts"] = n_runs * trained
        disk["checkpoint of a training"] = (1 + memory.N_MOMENTS) * trained
    return disk


def _parameters(phases: Sequence[PhaseAsked], parts: Parts) -> dict[str, int]:
    config = _language(phases)
    found = {
        "vision": parts.vision.parameters,
        "projector": parts.projector.parameters,
        "language": parts.language,
    }
    if config is not None:
        full = config.trains["language"] == "full"
        adapter = memory.adapter_parameters(parts.layers, config.lora_rank)
        found["trained, of the language model"] = parts.language if full else adapter
    return found


# -- what is to be said of it -------------------------------------------------------------------


def _training_config(run: Run, name: str) -> Any:
    config = run.method.config
    return getattr(config, name) if isinstance(config, TrainingConfig) else None


def _tuning(run: Run) -> dict[str, str]:
    trains: Mapping[Any, Any] = _training_config(run, "trains") or {}
    return {str(role): str(how) for role, how in trains.items()}


def _size_assumptions(run: Run, request: PlanRequest) -> list[str]:
    if run.model_card.found() is not None:
        return [f"answers are as long as the suite lets them be: {run.spec.max_new_tokens} tokens"]
    return [
        f"{request.characters_per_token:g} characters a token, as in English text (OpenAI's rule): "
        "the tokenizer is not here; what a chat template adds is not counted",
        f"answers are as long as the suite lets them be: {run.spec.max_new_tokens} tokens",
    ]


def _notes(run: Run, phases: Sequence[PhaseAsked], trained: Work) -> list[str]:
    notes = []
    try:
        check_fits(run.suite, run.model_card)
    except UserError as error:
        notes.append(f"a run of this is refused: {error}")
    micro_batch, batch_size = (_training_config(run, f) for f in ("micro_batch", "batch_size"))
    if micro_batch is not None:
        notes.append(
            f"batches of {batch_size} are computed {micro_batch} samples of each pool at a time, "
            "here in one process"
        )
    if trained.flops is None:
        notes.append(
            "operations are known where the language model alone is trained: not here, so that "
            "memory is short of what else is trained"
        )
    if type(run.method).hooks is not Method.hooks:
        notes.append("answers are reckoned with one pass each; a method's hooks may need more")
    return notes
