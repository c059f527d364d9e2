"""Trainings that several processes share: process 0 leads, the others follow it.

A follower does in a training what process 0 does, but for writing and speaking, and waits for the
next one meanwhile: it answers, judges and scores nothing, and holds no model then.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.api import TrainingConfig
from benchmark.core.errors import RunFailed, UserError, to_set
from benchmark.data.pools import Pools
from benchmark.stages.attempt import unlearn
from benchmark.stages.loaded import Loaded
from benchmark.stages.pools import load_pools
from benchmark.stages.resolve import Run, RunRequest, resolve
from benchmark.stages.surroundings import restored
from benchmark.training.division import Division
from benchmark.training.loop import Loop
from benchmark.training.processes import ALONE, Joined, Lost, Processes
from benchmark.vlm.memory import is_out_of_memory
from benchmark.vlm.perception import Perceptions


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is trained next, and the folder that its checkpoints lie in."""

    request: RunRequest
    folder: Path


def check_shared(run: Run, processes: Processes) -> None:
    """Raise `UserError` where a method's batches cannot be shared as it is asked for."""
    config = run.method.config
    if not isinstance(config, TrainingConfig):
        return
    if processes.n > 1 and config.micro_batch is None:
        size, rest = divmod(config.batch_size, processes.n)
        # Where no size goes, none is named; what does go is said once there is one.
        hint = to_set(f"micro_batch={size}" if size and not rest else "micro_batch=SAMPLES")
        raise UserError(
            f"{processes.n} processes share a batch of {config.batch_size} in micro-batches: say "
            f"how large these are, by {hint}"
        )
    Division.of(config, "train", index=processes.index, n_processes=processes.n)


def shared_by(run: Run, processes: Processes) -> Processes:
    """Those that train a run: process 0 alone where nothing is trained."""
    return processes if isinstance(run.method.config, TrainingConfig) else ALONE


@contextmanager
def led(run: Run, folder: Path, processes: Processes) -> Iterator[None]:
    """Around a training of process 0: the others have loaded the model when it begins, and are
    done, or have given up, when it ends."""
    processes.order(Order(request=run.request, folder=folder))
    with processes.training():
        processes.exchange(None)
        yield


def follow(processes: Joined) -> int:
    """Train along until process 0 has nothing more; returns the exit code."""
    perceptions, pools = Perceptions(), Pools()
    try:
        while (order := processes.ordered()) is not None:
            _follow(order, processes, perceptions, pools)
    except Lost:
        return 1
    return 0


def _follow(order: Order, processes: Joined, perceptions: Perceptions, pools: Pools) -> None:
    try:
        with processes.training(), restored():
            _train_along(order, processes, perceptions, pools)
    except Lost:
        raise
    except (RunFailed, UserError):
        # Process 0 knows by now, and puts it on record.
        return
    except Exception as error:
        if not is_out_of_memory(error):
            traceback.print_exc()


def _train_along(order: Order, processes: Joined, perceptions: Perceptions, pools: Pools) -> None:
    run = resolve(order.request)
    loaded = Loaded(
        run.model_card,
        precision=run.spec.precision,
        device=run.spec.device,
        perceptions=perceptions,
        own_code=run.request.trust_remote_code,
    )
    model = loaded.fresh(run.method.starts_from)
    model.recomputes = run.spec.gradient_checkpointing
    # Nothing is charged here, but what an earlier training made is needed anew.
    for lending in model.lendings:
        lending.open()
    loop = Loop(
        model=model,
        pools=load_pools(run, pools),
        seed=run.effective_seed,
        folder=order.folder,
        report=_unheard,
        checkpointed=lambda: None,
        checkpoint_every_s=run.request.checkpoint_every_s,
        processes=processes,
    )
    processes.open()
    processes.exchange(None)
    unlearn(run.method, loop=loop, gold=partial(loaded.gold, run.effective_seed))


def _unheard(phase: str, step: int, *, n_steps: int, loss: float) -> None:
    """Process 0 reports."""
