"""Check that every declared loss term is finite and moves something, looked at one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.api import Losses, PoolBatch, TrainingConfig
from benchmark.checks.outcome import CheckFailed, NotApplicable
from benchmark.checks.rehearsal import Phase, short
from benchmark.checks.subject import Subject
from benchmark.training.losses import nll
from benchmark.vlm.model import VisionLanguageModel

# Away from the start, where a KL is zero and LoRA's first factor has no gradient yet.
STEP_ASIDE = 0.02
LEARNING_STEPS = 30
LEARNING_RATE = 2e-2
Parameters = Mapping[str, nn.Parameter]


def terms(subject: Subject) -> None:
    """Finite, and with its weight alone a gradient that reaches what is trained."""
    if not subject.first().loop.asked:
        raise NotApplicable("it trains nothing by the shared loop")
    problems: list[str] = []

    def wrap(phase: Phase, losses: Losses) -> Losses:
        return _examined(phase, losses, problems)

    subject.run(adapt=_one_step, wrap=wrap)
    if problems:
        raise CheckFailed(
            expected="every declared term finite, with a gradient to a trained parameter",
            seen="; ".join(problems),
            remedy="compute the term from the model's own tensors (no .item(), no detach(), no "
            "math.exp), or take it out of the default weights",
        )


def _one_step(config: TrainingConfig) -> TrainingConfig:
    return replace(short(config), steps=1)


def _examined(phase: Phase, losses: Losses, problems: list[str]) -> Losses:
    """The losses, looked at in up to two places: near the start, and where the answers of the
    batch are likely, since a bounded term may well be at its bound in one of them."""

    def examined(model, batch, reference):
        parameters = model.trainable() | _parameters_of(phase.modules)
        _step_aside(parameters)
        silent = _silent(losses(model, batch, reference), phase, parameters)
        if silent:
            _learn(model, batch, parameters)
            again = _silent(losses(model, batch, reference), phase, parameters)
            problems.extend(again[name] for name in silent if name in again)
        return losses(model, batch, reference)

    return examined


def _silent(found: Mapping[str, Tensor], phase: Phase, parameters: Parameters) -> dict[str, str]:
    """The declared terms with which something is wrong, and what."""
    wrong = {}
    for name in phase.config.weights:
        if name not in found:
            wrong[name] = f"term '{name}' was not returned"
        elif not math.isfinite(float(found[name].detach())):
            wrong[name] = f"term '{name}' is {float(found[name].detach())}"
        elif not _moves(found[name], list(parameters.values())):
            wrong[name] = f"term '{name}' has no gradient in phase '{phase.name}'"
    return wrong


def _moves(term: Tensor, parameters: Sequence[nn.Parameter]) -> bool:
    if not term.requires_grad:
        return False
    gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
    there = [gradient for gradient in gradients if gradient is not None]
    return any(bool(g.any()) for g in there) and all(bool(g.isfinite().all()) for g in there)


def _parameters_of(modules: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    return {
        f"{name}.{inner}": parameter
        for name, module in modules.items()
        for inner, parameter in module.named_parameters()
        if parameter.requires_grad
    }


@torch.no_grad()
def _step_aside(parameters: Parameters) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in parameters.values():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.add_((STEP_ASIDE * noise).to(parameter))


def _learn(
    model: VisionLanguageModel, batch: Mapping[str, PoolBatch], parameters: Parameters
) -> None:
    """Make the batch's own answers likely, as they are to a model that has learnt them."""
    kinds: tuple[Literal["bad", "good"], ...] = ("bad", "good")
    views = [
        of_role.answering(kind)
        for of_role in batch.values()
        for kind in kinds
        if all(getattr(sample.answers, kind) is not None for sample in of_role.samples)
    ]
    optimiser = torch.optim.Adam(list(parameters.values()), lr=LEARNING_RATE)
    for view in islice(cycle(views), LEARNING_STEPS):
        loss = nll(model, view)
        if not loss.requires_grad:
            return
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
