"""Read a model's insides during one forward pass and leave nothing behind.

Hidden states come from hooks on the decoder layers. Attention comes from the one layer asked
for, out of its own queries and keys, so that every other layer stays on its fast path and every
family's positions and norms are its own. A pass goes no further than the last layer that was asked
for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from benchmark.core.errors import RunFailed
from benchmark.vlm.checkpointing import KeptWhole

WATCHED = "vlm_bench_watched"
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
    `IndexError` for a layer the model lacks, `RunFailed` for one that the pass left out.
    """
    trace = Trace()
    n_wanted = len({*hidden}) + len({*attention})

    def seen(where: dict[int, Tensor], index: int, what: Tensor) -> None:
        where[index] = what
        if not to_the_end and len(trace.hidden) + len(trace.attention) == n_wanted:
            raise _SeenEnough

    handles: list[RemovableHandle | _AttentionWatch | KeptWhole] = []
    try:
        for index in _not_repeated(hidden, attention, to_the_end=to_the_end):
            handles.append(KeptWhole(language.layers[index]))
        for index in hidden:
            handles.append(_watch_hidden(language.layers, index, partial(seen, trace.hidden)))
        for index in attention:
            watched = language.layers[index].self_attn
            handles.append(_AttentionWatch(watched, partial(seen, trace.attention, index)))
        trace.final = forward()
        skipped = {*hidden} - trace.hidden.keys() | {*attention} - trace.attention.keys()
        if skipped:
            raise RunFailed(f"layer {min(skipped)} does not run where there is no image to look at")
    except _SeenEnough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return trace


def _not_repeated(hidden: Sequence[int], attention: Sequence[int], *, to_the_end: bool) -> set[int]:
    """Layers in which more happens than their own forward pass: attention is worked out, or the
    pass ends."""
    reached = [*(max(0, index - 1) for index in hidden), *attention]
    return {*attention, *([max(reached)] if reached and not to_the_end else [])}


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


class _AttentionWatch:
    """Lets one attention layer alone go by `_watched`, until it is removed: a layer chooses how to
    attend by its configuration, which it shares with all others."""

    def __init__(self, module: Any, seen: Callable[[Tensor], None]) -> None:
        self._module, self._own = module, module.config
        watched = copy(module.config)
        # Past the property, which would tell it to others.
        watched._attn_implementation_internal = WATCHED
        module.config = watched
        _SEEN_BY[module] = (seen, self._own._attn_implementation)

    def remove(self) -> None:
        """As it was."""
        self._module.config = self._own
        del _SEEN_BY[self._module]


_SEEN_BY: dict[nn.Module, tuple[Callable[[Tensor], None], str]] = {}


def _watched(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """Shows the attention and goes on as the layer would have, by the interface of transformers."""
    seen, own = _SEEN_BY[module]
    weights = attention_of(query, key, mask, **options)
    seen(weights)
    if own in ALL_ATTENTION_FUNCTIONS:
        return ALL_ATTENTION_FUNCTIONS[own](module, query, key, value, mask, **options)
    n_groups = query.shape[1] // value.shape[1]
    output = weights.to(value.dtype) @ value.repeat_interleave(n_groups, dim=1)
    return output.transpose(1, 2).contiguous(), weights


AttentionInterface.register(WATCHED, _watched)


def attention_of(
    query_BHTd: Tensor,
    key_BGTd: Tensor,
    mask: Tensor | None,
    *,
    scaling: float | None = None,
    softcap: float | None = None,
    **_options: Any,
) -> Tensor:
    """Post-softmax attention `[B, heads, T, T]` of a whole prompt, as the layer computes it from
    these: positions, norms and biases are in them already. Without a mask it is causal; a boolean
    one says who may be looked at, any other is added."""
    key = key_BGTd.repeat_interleave(query_BHTd.shape[1] // key_BGTd.shape[1], dim=1)
    scale = scaling if scaling is not None else query_BHTd.shape[-1] ** -0.5
    scores = query_BHTd @ key.transpose(2, 3) * scale
    if softcap is not None:
        scores = softcap * (scores / softcap).tanh()
    if mask is None:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    else:
        scores = scores + mask
    return scores.softmax(dim=-1, dtype=torch.float32).to(query_BHTd.dtype)


def _input(args: tuple, kwargs: dict) -> Tensor:
    return args[0] if args else kwargs["hidden_states"]
