"""Training and generation with nothing around them: what the harness is measured against."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from benchmark.api import LossMethod, TrainingConfig, weight_at
from benchmark.core.samples import Sample
from benchmark.cost.clock import wait_for
from benchmark.cost.timeline import Timeline
from benchmark.data.pools import Pool
from benchmark.engines.local import LocalEngine
from benchmark.training.batches import BatchPlan, PoolBatch, make_batch
from benchmark.training.draws import OwnDraws
from benchmark.training.reference import Reference
from benchmark.training.step import make_optimiser, rate_at
from benchmark.vlm.encoding import View
from benchmark.vlm.model import VisionLanguageModel

BARE = "bare"
"""What the timeline calls a turn of either loop."""
Outcome = TypeVar("Outcome")
Loop = Generator[None, None, Outcome]
Asked = tuple[tuple[str, ...], tuple[str, ...] | None]


class Turns(Generic[Outcome]):
    """A loop that is taken turn by turn, so that something else can be done in between."""

    def __init__(self, loop: Loop[Outcome]) -> None:
        self._loop = loop
        self._outcome: list[Outcome] = []

    def take(self) -> bool:
        """Go round once; was there a turn left?"""
        if self._outcome:
            return False
        try:
            next(self._loop)
        except StopIteration as end:
            self._outcome.append(end.value)
            return False
        return True

    def rest(self) -> Outcome:
        """All turns that are left, and what the loop comes to."""
        while self.take():
            pass
        return self._outcome[0]


def train_bare(
    method: LossMethod,
    model: VisionLanguageModel,
    pools: Mapping[str, Pool],
    *,
    seed: int,
    timeline: Timeline,
) -> Turns[float]:
    """Forward, backward and optimiser over the batches that the shared loop takes, every view of
    them made beforehand. The first turn attaches adapters and asks the reference, where that is
    asked before, and takes the first step; then a step a turn. Comes to the loss of the last."""
    length_of = length_in(model)
    reference = _reference(model, pools, length_of=length_of)
    batches = batches_of(model, pools, method.config, seed=seed, length_of=length_of)
    draws = OwnDraws(seed)
    return Turns(_steps(method, model, batches, reference, draws=draws, timeline=timeline))


def _steps(
    method: LossMethod,
    model: VisionLanguageModel,
    batches: Sequence[Mapping[str, PoolBatch]],
    reference: Reference,
    *,
    draws: OwnDraws,
    timeline: Timeline,
) -> Loop[float]:
    config = method.config
    with draws.drawn(), timeline.doing(BARE):
        model.prepare(
            config.trains,
            rank=config.lora_rank, alpha=config.lora_alpha, dropout=config.lora_dropout,
        )  # fmt: skip
        parameters = model.trainable()
        optimiser = make_optimiser(parameters, config)
        if not model.can_switch_off:
            model.hf.eval()
            reference.fill(s for batch in batches for part in batch.values() for s in part.samples)
        model.hf.train()
    last = math.nan
    for step, batch in enumerate(batches):
        with draws.drawn(), timeline.doing(BARE):
            total = _weighed(method.losses(model, batch, reference), config, step=step)
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * rate_at(step, config)
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            nn.utils.clip_grad_norm_(list(parameters.values()), config.max_gradient_norm)
            optimiser.step()
            wait_for(str(model.device))
        last = float(total.detach())
        yield
    return last


def _weighed(terms: Mapping[str, Tensor], config: TrainingConfig, *, step: int) -> Tensor:
    """Added up in the order of the shared loop, to the same last digit."""
    progress = step / max(1, config.steps - 1)
    weighed = [weight_at(config.weights[name], progress) * terms[name] for name in terms]
    return reduce(add, weighed)


def length_in(model: VisionLanguageModel) -> Callable[[Sample], int]:
    """As the shared loop reckons it, so that its batches come out."""

    def length_of(sample: Sample) -> int:
        answer = sample.answers.good or sample.answers.bad or ""
        return model.encoder.prompt_length(sample) + len(model.encoder.answer(answer))

    return length_of


def _reference(
    model: VisionLanguageModel, pools: Mapping[str, Pool], *, length_of: Callable[[Sample], int]
) -> Reference:
    reference = Reference(model, length_of=length_of)
    for pool in pools.values():
        for kind in ("bad", "good"):
            known = [s for s in pool.samples if getattr(s.answers, kind) is not None]
            reference.expect(known, [getattr(s.answers, kind) for s in known])
    return reference


def batches_of(
    model: VisionLanguageModel,
    pools: Mapping[str, Pool],
    config: TrainingConfig,
    *,
    seed: int,
    length_of: Callable[[Sample], int],
) -> list[dict[str, PoolBatch]]:
    """The batches that the shared loop takes, every view of them made."""
    plans = {
        role: BatchPlan(
            pool, batch_size=config.batch_size, n_steps=config.steps, seed=seed,
            length_of=length_of,
        )
        for role, pool in pools.items()
    }  # fmt: skip
    views = _Views(model)
    batches = [
        make_batch(plans, step=step, seed=seed, view_of=views) for step in range(config.steps)
    ]
    for batch in batches:
        for part in batch.values():
            for kind in ("bad", "good"):
                if all(getattr(sample.answers, kind) is not None for sample in part.samples):
                    part.answering(kind)
    return batches


class _Views:
    """Makes a view once; whoever asks again finds it."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self._model = model
        self._made: dict[Asked, View] = {}

    def __call__(
        self,
        samples: Sequence[Sample],
        answers: Sequence[str] | None,
        *,
        forward_only: bool = False,
    ) -> View:
        name = (
            tuple(sample.id for sample in samples),
            tuple(answers) if answers is not None else None,
        )
        if name not in self._made:
            self._made[name] = self._model.view(samples, answers)
        return self._made[name]


def generate_bare(
    engine: LocalEngine, batches: Sequence[Sequence[Sample]], *, timeline: Timeline
) -> Turns[dict[str, str | None]]:
    """`generate` over these batches by the engine's own decoding: a batch a turn, made into tensors
    before the clock starts and into words when it has stopped. Comes to the answers by sample."""
    return Turns(_generations(engine, batches, timeline=timeline))


def _generations(
    engine: LocalEngine, batches: Sequence[Sequence[Sample]], *, timeline: Timeline
) -> Loop[dict[str, str | None]]:
    model, said = engine.model, dict[str, str | None]()
    for samples in batches:
        with torch.inference_mode():
            view = model.encoder.view(samples, padding="left", device=model.device)
            given = model.inputs(view)
            wait_for(str(model.device))
            with timeline.doing(BARE):
                output_BT = model.hf.generate(**given, generation_config=engine.decoding)
                wait_for(str(model.device))
        said_BT = output_BT[:, view.input_ids_BT.shape[1] :]
        for sample, ids in zip(samples, said_BT.tolist(), strict=True):
            said[sample.id] = engine.response(sample.id, ids, n_prompt=0).text
        yield
    return said
