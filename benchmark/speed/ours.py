"""Our side: the methods of this benchmark in its shared loop, as a run trains them."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from pydantic import JsonValue

from benchmark.api import LossMethod
from benchmark.core import registry
from benchmark.core.config import build
from benchmark.cost.allocator import is_glibc
from benchmark.data.pools import Pool
from benchmark.speed.bare import batches_of, length_in
from benchmark.speed.subject import ANSWERED, draw_pools, lengths_of
from benchmark.speed.task import (
    BETA,
    LEARNING_RATE,
    LORA_ALPHA,
    LORA_RANK,
    MAX_GRADIENT_NORM,
    SEED,
    Clock,
    Task,
    Term,
    Work,
)
from benchmark.stages.attempt import unlearn
from benchmark.training.loop import Loop
from benchmark.vlm.loading import is_small, load_model
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions

# The method whose loss has the term.
METHODS: dict[Term, str] = {"kl": "kl_minimization", "npo": "npo"}
KEEPS_REFERENCE = True


def load(task: Task, perceptions: Perceptions) -> VisionLanguageModel:
    """The model as a run loads it."""
    return load_model(
        task.checkpoint,
        name=task.checkpoint.name,
        precision=task.precision,
        device=task.device,
        perceptions=perceptions,
    )


def keeps_freed_memory(model: VisionLanguageModel, task: Task) -> bool:
    """As loading it decides."""
    return task.device == "cpu" and is_small(model.hf) and is_glibc()


def train(model: VisionLanguageModel, task: Task, clock: Clock) -> Work:
    """Unlearn by the method's own loss. The clock runs from the first line of the loop to the end
    of its last step: batches, the reference's states, counting and the log are all in it."""
    method = method_of(task)
    pools = draw_pools(model, n_samples=task.n_samples, seed=SEED, length_spread=task.length_spread)
    with tempfile.TemporaryDirectory(prefix="vlm-bench-speed-") as folder:
        loop = Loop(
            model=model,
            pools=pools,
            seed=SEED,
            folder=Path(folder),
            report=lambda _phase, _step, *, n_steps, loss: clock.step(),
            checkpointed=lambda: None,
            checkpoint_every_s=math.inf,
        )
        clock.begin()
        unlearn(method, loop=loop, gold=_no_gold)
    return Work(
        n_samples=len(pools) * task.batch_size * task.steps,
        n_tokens=loop.counted.n_tokens,
        n_answer_tokens=loop.counted.n_answer_tokens,
        lengths=lengths_of(model, pools),
        n_positions=_positions(model, method, pools, n_tokens=loop.counted.n_tokens),
    )


def _positions(
    model: VisionLanguageModel, method: LossMethod, pools: Mapping[str, Pool], *, n_tokens: int
) -> int:
    """Tokens and padding of the batches that the loop took."""
    batches = batches_of(model, pools, method.config, seed=SEED, length_of=length_in(model))
    masks = [
        part.answering(ANSWERED[role]).attention_mask_BT
        for batch in batches
        for role, part in batch.items()
    ]
    assert sum(int(mask_BT.sum()) for mask_BT in masks) == n_tokens, "the loop took other batches"
    return sum(mask_BT.numel() for mask_BT in masks)


def method_of(task: Task) -> LossMethod:
    """The method with the task's settings."""
    method_type = registry.load("method", METHODS[task.term])
    settings: dict[str, JsonValue] = {
        "trains": {"language": task.tuning},
        "steps": task.steps,
        "batch_size": task.batch_size,
        "learning_rate": LEARNING_RATE,
        "schedule": "constant",
        "warmup_share": 0.0,
        "max_gradient_norm": MAX_GRADIENT_NORM,
        "lora_rank": LORA_RANK,
        "lora_alpha": LORA_ALPHA,
    }
    if task.term == "npo":
        settings["beta"] = BETA
    return method_type(build(method_type.Config, settings, where=f"the step '{task.term}'"))


def _no_gold() -> NoReturn:
    raise AssertionError("no method of a step asks for the gold weights")
