"""Read a model's insides during one forward pass and leave nothing behind.

Hidden states come from hooks on the decoder layers. Attention comes from the one layer asked
for, recomputed from that layer's own input, so that every other layer stays on its fast path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


@dataclass(frozen=True, kw_only=True)
class Trace:
    """`hidden[layer]` is `[B, T, D]` after that decoder layer: 0 is the embeddings, L the last
    layer before the final norm. `attention[layer]` is `[B, heads, T, T]`, softmaxed by query."""

    hidden: dict[int, Tensor] = field(default_factory=dict)
    attention: dict[int, Tensor] = field(default_factory=dict)


@contextmanager
def tracing(
    language: Any, *, hidden: Sequence[int] = (), attention: Sequence[int] = ()
) -> Iterator[Trace]:
    """Fill a `Trace` during the forward passes inside; hooks are gone afterwards, come what may.

    Layers of `attention` count from 0. Raises `IndexError` for a layer the model lacks.
    """
    layers = language.layers
    trace = Trace()
    handles: list[RemovableHandle] = []
    try:
        for index in hidden:
            handles.append(_watch_hidden(layers, index, trace))
        for index in attention:
            handles.append(_watch_attention(layers[index].self_attn, index, trace))
        yield trace
    finally:
        for handle in handles:
            handle.remove()


def _watch_hidden(layers: nn.ModuleList, index: int, trace: Trace) -> RemovableHandle:
    if index == 0:
        return layers[0].register_forward_pre_hook(
            lambda _, args, kwargs: trace.hidden.__setitem__(0, _input(args, kwargs)),
            with_kwargs=True,
        )
    return layers[index - 1].register_forward_hook(
        lambda _module, _args, output: trace.hidden.__setitem__(
            index, output[0] if isinstance(output, tuple) else output
        )
    )


def _watch_attention(module: Any, index: int, trace: Trace) -> RemovableHandle:
    def record(_module: nn.Module, args: tuple, kwargs: dict) -> None:
        trace.attention[index] = attention_of(
            module,
            _input(args, kwargs),
            kwargs["position_embeddings"],
            kwargs.get("attention_mask"),
        )

    return module.register_forward_pre_hook(record, with_kwargs=True)


def attention_of(
    module: Any,
    hidden_BTD: Tensor,
    position_embeddings: tuple[Tensor, Tensor],
    attention_mask: Tensor | None,
) -> Tensor:
    """Post-softmax attention `[B, heads, T, T]` of a Llama-like layer for a whole prompt."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb, repeat_kv

    batch, length, _ = hidden_BTD.shape
    shape = (batch, length, -1, module.head_dim)
    query = module.q_proj(hidden_BTD).view(shape).transpose(1, 2)
    key = module.k_proj(hidden_BTD).view(shape).transpose(1, 2)
    query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
    key = repeat_kv(key, module.num_key_value_groups)
    scores = query @ key.transpose(2, 3) * module.scaling
    causal = torch.ones(length, length, dtype=torch.bool, device=scores.device).tril()
    scores = scores.masked_fill(~causal, torch.finfo(scores.dtype).min)
    if attention_mask is not None:
        allowed = attention_mask[..., :length, :length]
        if allowed.dtype == torch.bool:
            scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
        else:
            scores = scores + allowed
    return scores.softmax(dim=-1, dtype=torch.float32).to(hidden_BTD.dtype)


def _input(args: tuple, kwargs: dict) -> Tensor:
    return args[0] if args else kwargs["hidden_states"]
