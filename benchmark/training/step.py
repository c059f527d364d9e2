"""One optimiser step: terms weighed, gradients clipped, learning rate by schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmark.api import Ramp, TrainingConfig, weight_at
from benchmark.core.errors import NonFiniteLoss, RunFailed, UserError, nearest, to_set
from benchmark.training.shards import clip_gradients, is_shard


def make_optimiser(
    parameters: Mapping[str, nn.Parameter], config: TrainingConfig
) -> torch.optim.AdamW:
    """AdamW over the trainable parameters. Raises `UserError` if there are none."""
    if not parameters:
        raise UserError(
            "nothing is trainable: choose how the language model is trained, by "
            f"{to_set('trains.language=lora')}, or lora_int8, qlora, full"
        )
    return torch.optim.AdamW(
        list(parameters.values()),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        # Its loop over many tensors at once takes no mixture of shards and whole ones.
        foreach=False if any(map(is_shard, parameters.values())) else None,
    )


def weigh(
    terms: Mapping[str, Tensor], weights: Mapping[str, float | Ramp], *, step: int, n_steps: int
) -> Tensor:
    """The weighted sum. A weight of zero takes its term out of the sum altogether.

    Raises `RunFailed` for terms other than the declared ones and `NonFiniteLoss` for a NaN.
    """
    _check(terms, weights, step=step)
    total: Tensor | None = None
    for name, term in terms.items():
        weight = weight_at(weights[name], step / max(1, n_steps - 1))
        value = float(term.detach())
        if weight and not math.isfinite(value):
            raise NonFiniteLoss(term=name, step=step, value=value)
        if weight:
            total = weight * term if total is None else total + weight * term
    return total if total is not None else torch.zeros((), requires_grad=True)


def _check(terms: Mapping[str, object], weights: Mapping[str, float | Ramp], *, step: int) -> None:
    for name in terms:
        if name not in weights:
            raise RunFailed(
                f"loss term '{name}' has no weight in the config's `weights`: "
                f"{nearest(name, weights)}"
            )
    for name in weights:
        if name not in terms:
            raise RunFailed(f"declared loss term '{name}' was not returned by losses()")
    for name, term in terms.items():
        if not isinstance(term, Tensor):
            raise RunFailed(
                f"loss term '{name}' is a {type(term).__name__} at step {step}, not a tensor: "
                "compute it from the model's own tensors, without .item()"
            )
        if term.ndim:
            raise RunFailed(
                f"loss term '{name}' has shape {tuple(term.shape)} at step {step}, not a scalar"
            )


@dataclass(frozen=True, kw_only=True)
class LossValues:
    """The weighted total of a batch, and every term without its weight."""

    total: float
    terms: Mapping[str, float]

    @classmethod
    def of(cls, total: Tensor, terms: Mapping[str, Tensor]) -> LossValues:
        """As numbers."""
        values = {name: float(term.detach()) for name, term in terms.items()}
        return cls(total=float(total.detach()), terms=values)

    @classmethod
    def mean(cls, parts: Sequence[LossValues]) -> LossValues:
        """Over equal parts of a batch, added up in their order."""
        n = len(parts)
        names = parts[0].terms
        return cls(
            total=sum(part.total for part in parts) / n,
            terms={name: sum(part.terms[name] for part in parts) / n for name in names},
        )


def reach_back(total: Tensor, *, share: float, step: int) -> None:
    """Add the gradients of a part of the batch, which counts for `share` of the step."""
    if not total.requires_grad:
        raise RunFailed(f"the loss at step {step} carries no gradient: no term reaches a parameter")
    (total * share if share != 1 else total).backward()


def take_step(
    optimiser: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    *,
    config: TrainingConfig,
    step: int,
) -> None:
    """One optimiser step at the scheduled learning rate; gradients are clipped by their norm."""
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * rate_at(step, config)
    norm = clip_gradients(list(parameters.values()), largest=config.max_gradient_norm)
    if not math.isfinite(norm):
        raise NonFiniteLoss(term="gradient norm", step=step, value=norm)
    optimiser.step()


def rate_at(step: int, config: TrainingConfig) -> float:
    """Share of the learning rate at a step: linear warm-up, then the schedule."""
    warmup = math.ceil(config.warmup_share * config.steps)
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, config.steps - warmup)
    if config.schedule == "linear":
        return 1.0 - progress
    if config.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    return 1.0
