"""The loop that every stage of the recipe shares: seeded blocks, each ending in a checkpoint."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from tqdm import tqdm


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Steps and the learning rate at its peak; warm-up, then a cosine down to a twentieth.

    "muon" is for the matrices between layers only (see `_optimizers`).
    """

    n_steps: int
    learning_rate: float
    optimizer: Literal["adamw", "muon"] = "muon"
    n_block_steps: int = 100
    warm_up: float = 0.05
    weight_decay: float = 0.01
    clip_norm: float = 1.0

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        n_warm = max(1, round(self.n_steps * self.warm_up))
        if step < n_warm:
            return self.learning_rate * (step + 1) / n_warm
        done = (step - n_warm) / max(1, self.n_steps - n_warm)
        return self.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


N_KEPT_LOSSES = 60


@dataclass
class Trace:
    """What a stage leaves for the record."""

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def thinned(self) -> list[float]:
        """Means of the losses over equal stretches: at most `N_KEPT_LOSSES` numbers."""
        stride = max(1, -(-len(self.losses) // N_KEPT_LOSSES))
        starts = range(0, len(self.losses), stride)
        parts = [self.losses[start : start + stride] for start in starts]
        return [round(sum(part) / len(part), 4) for part in parts]


def minimise(
    model: nn.Module,
    *,
    loss_of_step: Callable[[int, int], Iterator[Callable[[], torch.Tensor]]],
    schedule: Schedule,
    checkpoint: Path,
    title: str,
) -> Trace:
    """Train the parameters that ask for gradients, in place.

    `loss_of_step(block, n_steps)` yields one function per step of a block; a block is a pure
    function of its number, so a run resumed from its last block equals an undisturbed one.
    Raises FloatingPointError, naming the step, when a loss is not finite.
    """
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizers = _optimizers(model, schedule)
    trace, step = Trace(), 0
    if checkpoint.exists():
        stored = torch.load(checkpoint, weights_only=True)
        step = stored["step"]
        trace = Trace(losses=stored["losses"], seconds=stored["seconds"])
        for optimizer, state in zip(optimizers, stored["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        with torch.no_grad():
            for weight, value in zip(trained, stored["weights"], strict=True):
                weight.copy_(value)
    # None: tqdm itself is quiet when the output is no terminal.
    bar = tqdm(total=schedule.n_steps, initial=step, desc=title, unit="step", disable=None)
    while step < schedule.n_steps:
        started = time.perf_counter()
        n_steps = min(schedule.n_block_steps, schedule.n_steps - step)
        for loss_of in loss_of_step(step // schedule.n_block_steps, n_steps):
            for group in (group for optimizer in optimizers for group in optimizer.param_groups):
                group["lr"] = schedule.rate(step)
            loss = loss_of()
            if not torch.isfinite(loss):
                raise FloatingPointError(f"{title}: the loss of step {step} is {loss.item()}")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, schedule.clip_norm)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            trace.losses.append(loss.item())
            step += 1
            bar.set_postfix(loss=f"{trace.losses[-1]:.3f}", refresh=False)
            bar.update()
        trace.seconds += time.perf_counter() - started
        _save(
            {
                "step": step,
                "losses": trace.losses,
                "seconds": trace.seconds,
                "optimizers": [optimizer.state_dict() for optimizer in optimizers],
                "weights": [weight.detach() for weight in trained],
            },
            checkpoint,
        )
    bar.close()
    return trace


def _optimizers(model: nn.Module, schedule: Schedule) -> list[torch.optim.Optimizer]:
    """AdamW; by choice Muon for the matrices between layers, which learns text in half the steps.

    Muon's steps are scaled to the size of AdamW's (Liu et al. 2025, arXiv:2502.16982), so that one
    learning rate serves both.
    """
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            hidden = schedule.optimizer == "muon" and weight.ndim == 2 and ".layers." in name
            (matrices if hidden else others).append(weight)
    decay = schedule.weight_decay
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.98), weight_decay=decay, fused=True)
    ]
    if matrices:
        optimizers.append(
            torch.optim.Muon(matrices, lr=0.0, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
        )
    return optimizers


def _save(state: dict[str, object], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)
