"""Read a model's insides during one forward pass and leave nothing behind.

Hidden states come from hooks on the decoder layers. Attention comes from the one layer asked
for, recomputed from that layer's own input, so that every other layer stays on its fast path. A
pass goes no further than the last layer that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Seen = Callable[[int, Tensor], None]


class _SeenEnough(Exception):
    """All that was asked for is there, and the layers above need not run."""


@dataclass(kw_only=True)
class Trace:
    """`hidden[layer]` is `[B, T, D]` after that decoder layer: 0 is the embeddings, L the last
    layer before the final norm. `attention[layer]` is `[B, heads, T, T]`, softmaxed by query.
    `final` is `[B, T, D]` after the final norm, None of a pass that was not run to the end."""

    hidden: dict[int, Tensor] = field(default_factory=dict)
    attention: dict[int, Tensor] = field(default_factory=dict)
    final: Tensor | None = None


def traced(
    language: Any,
    forward: Callable[[], Tensor],
    *,
    hidden: Sequence[int],
    attention: Sequence[int],
    to_the_end: bool,
) -> Trace:
    """What `forward` lets be seen of the language model; it returns the final states.

    Hooks are gone afterwards, come what may. Layers of `attention` count from 0. Raises
    `IndexError` for a layer the model lacks.
    """
    trace = Trace()
    n_wanted = len({*hidden}) + len({*attention})

    def seen(where: dict[int, Tensor], index: int, what: Tensor) -> None:
        where[index] = what
        if not to_the_end and len(trace.hidden) + len(trace.attention) == n_wanted:
            raise _SeenEnough

    handles: list[RemovableHandle] = []
    try:
        for index in hidden:
            handles.append(_watch_hidden(language.layers, index, partial(seen, trace.hidden)))
        for index in attention:
            watched = language.layers[index].self_attn
            handles.append(_watch_attention(watched, index, partial(seen, trace.attention)))
        trace.final = forward()
    except _SeenEnough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return trace


def _watch_hidden(layers: nn.ModuleList, index: int, seen: Seen) -> RemovableHandle:
    if index == 0:
        return layers[0].register_forward_pre_hook(
            lambda _, args, kwargs: seen(0, _input(args, kwargs)), with_kwargs=True
        )
    return layers[index - 1].register_forward_hook(
        lambda _module, _args, output: seen(
            index, output[0] if isinstance(output, tuple) else output
        )
    )


def _watch_attention(module: Any, index: int, seen: Seen) -> RemovableHandle:
    def record(_module: nn.Module, args: tuple, kwargs: dict) -> None:
        found = attention_of(
            module,
            _input(args, kwargs),
            kwargs["position_embeddings"],
            kwargs.get("attention_mask"),
        )
        seen(index, found)

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
