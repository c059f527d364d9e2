"""Decoder layers whose weights several processes hold in shards, by torch's FSDP.

FSDP changes a module's class and hooks for good. So the shards live in doubles of the layers, which
stand in their places while a phase is trained; the layers themselves wait without weights and come
back with all of them. Everything else (embeddings, head, what sees) stays whole in every process,
since losses ask for it on its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor


@contextmanager
def in_shards(layers: nn.ModuleList, *, mesh: DeviceMesh, reshard: bool) -> Iterator[None]:
    """Shards in the places of these layers. Without `reshard` a layer that was put together for its
    forward pass stays so until its gradients are there. Where it is left by an error the shards
    stay, since others may not be there to put them together."""
    own = list(layers)
    for index, layer in enumerate(own):
        layers[index] = _sharded(layer, mesh=mesh, reshard=reshard)
    if any(parameter.requires_grad for parameter in layers.parameters()):
        # Before FSDP's own: it looks there whether gradients will pass.
        layers[0].register_forward_pre_hook(_let_gradients_pass, prepend=True, with_kwargs=True)
    yield
    for index, layer in enumerate(own):
        _take_back(layer, layers[index])
        layers[index] = layer


def _sharded(layer: nn.Module, *, mesh: DeviceMesh, reshard: bool) -> nn.Module:
    """A double with this process's part of the weights; none are left in the layer itself."""
    double: FSDPModule = fully_shard(_double(layer), mesh=mesh, reshard_after_forward=reshard)
    # Gradients are added up, as those of whole weights are: the loop weighs the parts of a batch.
    double.set_force_sum_reduction_for_comms(True)
    double.set_gradient_divide_factor(1.0)
    for parameter in layer.parameters():
        parameter.data = parameter.new_empty(0)
    assert isinstance(double, nn.Module)
    return double


def _let_gradients_pass(_layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Back to what the first layer is given, in every process: there gradients are added up when
    they have passed through a layer. Of words that nobody trains they would not pass, beside an
    image whose projector is trained they would, and another process may have that one alone."""
    given: Tensor = args[0] if args else kwargs["hidden_states"]
    if torch.is_grad_enabled() and not given.requires_grad:
        given.requires_grad_(True)


def _double(layer: nn.Module) -> nn.Module:
    """With the same parameters and the same configuration, which layers share, until it is
    sharded."""
    shared: list[Any] = [*layer.parameters()]
    shared += [module.config for module in layer.modules() if hasattr(module, "config")]
    return deepcopy(layer, {id(one): one for one in shared})


@torch.no_grad()
def _take_back(layer: nn.Module, double: nn.Module) -> None:
    """Whole weights, and the hooks by which transformers records states from the first time on that
    somebody asks a model for them."""
    shards = dict(double.named_parameters())
    for name, parameter in layer.named_parameters():
        parameter.data = whole(shards[name].detach())
    for own, others in zip(layer.modules(), double.modules(), strict=True):
        for key, hook in others._forward_hooks.items():
            if key not in own._forward_hooks and hook.__module__.startswith("transformers."):
                own.register_forward_hook(hook)


def is_shard(tensor: Tensor) -> bool:
    """Is only a part of it here?"""
    return isinstance(tensor, DTensor)


def whole(value: Any) -> Any:
    """A tensor with all its parts, for which all processes ask at once; anything else as it is."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def divided_like(parameter: Tensor, value: Any) -> Any:
    """This process's part of a whole tensor that goes with a parameter; anything else as it is."""
    if not isinstance(parameter, DTensor) or not isinstance(value, Tensor) or value.ndim == 0:
        return value
    return distribute_tensor(
        value.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )


def clip_gradients(parameters: Sequence[nn.Parameter], *, largest: float) -> float:
    """Scale all gradients so that their common norm is at most `largest`; returns what it was."""
    shards = [p for p in parameters if is_shard(p)]
    if not shards:
        return float(nn.utils.clip_grad_norm_(parameters, largest))
    apart = [p for p in parameters if not is_shard(p)]
    norm = math.hypot(_norm(shards), _norm(apart))
    # As torch reckons, which takes no mixture of shards and whole tensors.
    for some in (shards, apart):
        nn.utils.clip_grads_with_norm_(some, largest, torch.tensor(norm), foreach=False)
    return norm


def _norm(parameters: Sequence[nn.Parameter]) -> float:
    gradients = [p.grad for p in parameters if p.grad is not None]
    return float(whole(nn.utils.get_total_norm(gradients, foreach=False))) if gradients else 0.0
