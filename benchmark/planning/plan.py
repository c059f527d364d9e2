"""Plan a run: everything is looked up and reckoned, nothing is loaded, trained or asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmark.api import Method, TrainingConfig
from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.core.records import BatchCount
from benchmark.core.roles import computed_in
from benchmark.core.rows import BASE, split_row
from benchmark.core.samples import Sample
from benchmark.cost.memory import BYTES, Batch
from benchmark.cost.parameters import parts_of
from benchmark.cost.pictures import Pictures
from benchmark.data.pools import Pool, load_pool
from benchmark.models.shape import Shape
from benchmark.planning.answers import Asking, answering, reading, weighing
from benchmark.planning.checkpoint import Described, described, shape_of_card
from benchmark.planning.hours import Clock, Hours
from benchmark.planning.planned import Planned, PlannedAnswering, PlannedRoom, PlannedStage
from benchmark.planning.rehearsed import rehearse
from benchmark.planning.room import room
from benchmark.planning.sizes import ByProcessor, ByRule
from benchmark.planning.storage import Storage
from benchmark.planning.training import training
from benchmark.planning.work import Model, Work
from benchmark.stages.likelihood import measured_samples
from benchmark.stages.plans import COHERENCE, plan_of
from benchmark.stages.pools import load_pools
from benchmark.stages.resolve import Run, RunRequest, settle
from benchmark.stages.samples import answered, evaluation_samples
from benchmark.stages.shortage import remedies
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
    plugin, _ = split_row(request.run.method)
    phases = rehearse(plugin, run.method.config)
    trained = training(phases, load_pools(run), model, seed=run.effective_seed)
    storage = Storage(phases=phases, shape=shape, parts=parts, spec=run.spec)
    clock = request.clock.reading(run, weight_bytes=storage.weights)
    asking = _asking(run, storage, clock.device.memory_bytes)
    whole = evaluation_samples(run.evaluation, images=run.images, limit=run.spec.limit)
    samples, measured = answered(whole), measured_samples(whole, plan_of(run.suite))
    asked = answering(samples, model, asking)
    judged = _judged(run, samples, model, asking)
    n_runs = 1 if run.has_one_outcome else len(request.seeds)
    weighed = weighing(measured, model)
    stages = _stages(
        trained, asked, judged, weighed, clock, n_runs=n_runs, base=run.entry.name == BASE
    )
    known = [stage.device_h for stage in stages if stage.device_h is not None]
    training_memory, answering_memory = storage.training(trained), _answering(asked, storage)
    rooms = [
        room(sum(memory.values()), clock.device.memory_bytes) if memory else None
        for memory in (training_memory, answering_memory)
    ]
    return Planned(
        method=run.spec.method,
        model=run.spec.model,
        suite=run.spec.suite,
        preset=run.spec.preset,
        n_seeds=n_runs,
        modality=_training_config(run, "modality"),
        precision=run.spec.precision,
        computed_in=storage.computed,
        gradient_checkpointing=run.spec.gradient_checkpointing,
        tuning=_tuning(run),
        parameters=storage.parameters(),
        device=clock.device,
        training=trained.phases,
        training_memory=training_memory,
        training_room=rooms[0],
        remedies=list(remedies(run.spec)) if training_memory else [],
        answering=_in_batches(asked, asking, samples, model),
        answering_memory=answering_memory,
        answering_room=rooms[1],
        fits=_all_fit(rooms, whole=bool(training_memory) or not trained.n_steps),
        disk=storage.disk(card, n_runs=n_runs),
        stages=stages,
        device_h=sum(known) if len(known) == len(stages) else None,
        assumptions=[*_size_assumptions(run, request, samples, model), *clock.assumptions],
        notes=_notes(run, trained),
    )


def _all_fit(rooms: Sequence[PlannedRoom | None], *, whole: bool) -> bool | None:
    """What is not reckoned `whole` may not fit, and does not where a part of it does not."""
    known = [one.verdict for one in rooms if one is not None]
    if "does not fit" in known:
        return False
    return True if known and whole else None


# -- what goes through the model ----------------------------------------------------------------


def _model(run: Run, shape: Shape, here: Described | None, request: PlanRequest) -> Model:
    pictures = Pictures(run.model_card.known_family, shape)
    sizes = (
        ByProcessor(here) if here is not None else ByRule(pictures, request.characters_per_token)
    )
    return Model(
        sizes=sizes,
        pictures=pictures,
        bytes_a_number=BYTES[computed_in(run.spec.precision, run.spec.device)],
        recomputes=run.spec.gradient_checkpointing,
    )


def _asking(run: Run, storage: Storage, memory_bytes: int | None) -> Asking:
    """As the run asks, in batches that the device can hold where its memory is known."""

    def fits(needed: float) -> bool:
        found = room(needed, memory_bytes)
        return found is None or found.verdict == "fits"

    return Asking(
        batch_size=run.spec.batch_size,
        max_new_tokens=run.spec.max_new_tokens,
        takes=lambda batch: sum(storage.answering(batch).values()),
        room=fits if memory_bytes is not None else None,
    )


def _in_batches(
    asked: Work, asking: Asking, samples: Sequence[Sample], model: Model
) -> PlannedAnswering:
    sizes = sorted(asked.batches.items(), reverse=True)
    return PlannedAnswering(
        batch_size=asking.batch_size,
        falls_back_to=asked.falls_back_to,
        whole_bytes=asking.whole_bytes(samples, model),
        batches=[BatchCount(size=size, n=n) for size, n in sizes],
    )


def _answering(asked: Work, storage: Storage) -> dict[str, float]:
    (batch,) = asked.heaviest or (Batch(n_sequences=0, n_tokens=0, n_predicted=0),)
    return storage.answering(batch)


def _judged(run: Run, samples: Sequence[Sample], model: Model, asking: Asking) -> Work:
    """Coherence: perplexities of answers to harmless prompts, and the bar, for which the untouched
    model answers the validation pool and reads its own answers. Each run is charged for it."""
    pool: Pool = load_pool(run.suite, "validation", "keep", "both", images=run.images)
    limit = run.spec.max_new_tokens
    purposes = registry.load("judge", COHERENCE).purposes
    harmless = [sample for sample in samples if sample.purpose in purposes]
    bar = answering(pool.samples, model, asking)
    works = [bar, *(reading(one, model, n_answer=limit) for one in (harmless, pool.samples))]
    done = replace(bar, n_samples=len(samples), heaviest=())
    for name in ("n_tokens", "n_image_tokens", "n_answer_tokens", "flops"):
        setattr(done, name, sum(getattr(work, name) for work in works))
    return done


def _stages(
    trained: Work, asked: Work, judged: Work, weighed: Work, clock: Hours,
    *, n_runs: int, base: bool,
) -> list[PlannedStage]:  # fmt: skip
    """Of the runs, and of the untouched model that they are compared with."""

    def answered_by(n: int) -> list[PlannedStage]:
        found = [clock.generate(asked, n_runs=n), clock.judge(judged, n_runs=n)]
        return found + ([clock.likelihood(weighed, n_runs=n)] if weighed.n_samples else [])

    stages = [clock.train(trained, n_runs=n_runs)] if trained.n_steps else []
    stages += answered_by(n_runs)
    if not base:
        of_base = answered_by(1)
        stages += [one.model_copy(update={"name": f"{BASE}: {one.name}"}) for one in of_base]
    return stages


# -- what is to be said of it -------------------------------------------------------------------


def _training_config(run: Run, name: str) -> Any:
    config = run.method.config
    return getattr(config, name) if isinstance(config, TrainingConfig) else None


def _tuning(run: Run) -> dict[str, str]:
    trains: Mapping[Any, Any] = _training_config(run, "trains") or {}
    return {str(role): str(how) for role, how in trains.items()}


def _size_assumptions(
    run: Run, request: PlanRequest, samples: Sequence[Sample], model: Model
) -> list[str]:
    found = []
    if run.model_card.found() is None:
        found.append(
            f"{request.characters_per_token:g} characters a token, as in English text (OpenAI's "
            "rule): the tokenizer is not here; what a chat template adds is not counted"
        )
    limits = sorted({sample.max_new_tokens or run.spec.max_new_tokens for sample in samples})
    longest = ", ".join(map(str, limits or [run.spec.max_new_tokens]))
    found.append(f"answers are as long as the suite lets them be: {longest} tokens")
    images = {image.sha256: image for sample in samples for image in sample.images}
    return found + model.pictures.depending_on_size(images.values())


def _notes(run: Run, trained: Work) -> list[str]:
    notes = []
    try:
        check_fits(run.suite, run.model_card)
    except UserError as error:
        notes.append(f"a run of this is refused: {error}")
    if trained.flops is None:
        notes.append(
            "operations are known where the language model alone is trained: not here, so that "
            "memory is short of what else is trained"
        )
    if type(run.method).hooks is not Method.hooks:
        notes.append("answers are reckoned with one pass each; a method's hooks may need more")
    return notes
