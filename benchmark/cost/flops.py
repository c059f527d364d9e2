"""Floating-point operations of a Llama behind a CLIP tower, from shapes alone.

A product of [m, k] and [k, n] counts 2mkn; only products count (not norms, softmax or rotations),
as torch's FlopCounterMode counts them. Analytic, so that quantised layers count like any others.
Letters: B sequences, T tokens each (padding included, for it is computed), I images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.models.capabilities import COUNTED


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The sizes that operations depend on. `vision_tokens` counts patches and the class token."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    feed_forward: int
    vocabulary: int
    vision_hidden: int
    vision_layers: int
    vision_feed_forward: int
    vision_tokens: int
    patch_size: int

    @property
    def image_tokens(self) -> int:
        """Visual tokens per image that reach the language model."""
        return self.vision_tokens - 1

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of a language layer's linear maps."""
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.feed_forward),
            "up_proj": (self.hidden, self.feed_forward),
            "down_proj": (self.feed_forward, self.hidden),
        }


def architecture_of(config: Any) -> Architecture | None:
    """Read the sizes off a `LlavaConfig`; None for another family, whose tower works otherwise."""
    if config.model_type not in COUNTED:
        return None
    text, vision = config.text_config, config.vision_config
    return Architecture(
        hidden=text.hidden_size,
        layers=text.num_hidden_layers,
        heads=text.num_attention_heads,
        kv_heads=text.num_key_value_heads,
        head_size=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        feed_forward=text.intermediate_size,
        vocabulary=text.vocab_size,
        vision_hidden=vision.hidden_size,
        vision_layers=vision.num_hidden_layers,
        vision_feed_forward=vision.intermediate_size,
        vision_tokens=(vision.image_size // vision.patch_size) ** 2 + 1,
        patch_size=vision.patch_size,
    )


def image_flops(shape: Architecture, *, n_images: int) -> float:
    """Forward operations of the vision tower and the two-layer projector."""
    size, tokens, patches = shape.vision_hidden, shape.vision_tokens, shape.image_tokens
    layer = 8 * tokens * size**2 + 4 * tokens * size * shape.vision_feed_forward
    layer += 4 * tokens**2 * size
    embedding = 2 * patches * 3 * shape.patch_size**2 * size
    projector = 2 * patches * shape.hidden * (size + shape.hidden)
    return float(n_images * (embedding + shape.vision_layers * layer + projector))


def forward_flops(
    shape: Architecture, *, n_sequences: int, n_tokens: int, n_logits: int, n_images: int = 0
) -> float:
    """Forward operations of B = `n_sequences` of T = `n_tokens`, with logits at `n_logits` places
    of the whole batch. Images whose features are kept are not projected here: leave `n_images`
    at 0."""
    rows = n_sequences * n_tokens
    linear = 2 * rows * sum(inputs * outputs for inputs, outputs in shape.linears.values())
    head = 2 * n_logits * shape.hidden * shape.vocabulary
    language = shape.layers * (linear + _attention(shape, n_sequences, n_tokens))
    return float(language + head) + image_flops(shape, n_images=n_images)


def training_flops(
    shape: Architecture,
    *,
    n_sequences: int,
    n_tokens: int,
    n_logits: int,
    tuning: str,
    lora_rank: int = 0,
    n_images: int = 0,
) -> float:
    """Forward and backward operations of one batch when the language model is trained.

    `tuning` full: every map also gives a gradient to its input and its weights (twice its forward
    cost). lora or qlora, on every linear map of every layer: frozen maps pass gradients on (once
    their forward cost) except where nothing below needs them, in the first layer's queries, keys
    and values; the two small matrices pay in full. Images are frozen: forward only.
    """
    forward = forward_flops(
        shape, n_sequences=n_sequences, n_tokens=n_tokens, n_logits=n_logits, n_images=n_images
    )
    rows = n_sequences * n_tokens
    language = forward - image_flops(shape, n_images=n_images)
    if tuning == "full":
        return forward + 2 * language
    attention = shape.layers * _attention(shape, n_sequences, n_tokens)
    first = {name: shape.linears[name] for name in ("q_proj", "k_proj", "v_proj")}
    unneeded = 2 * rows * sum(inputs * outputs for inputs, outputs in first.values())
    backward = language + attention - unneeded
    down, up = _lora(shape.linears, rows, lora_rank)
    first_down, _ = _lora(first, rows, lora_rank)
    adapters = 3 * shape.layers * (down + up) - first_down
    return forward + backward + adapters


def _attention(shape: Architecture, n_sequences: int, n_tokens: int) -> int:
    """Scores and mixtures of one layer, over all pairs of places."""
    return 4 * n_sequences * n_tokens**2 * shape.heads * shape.head_size


def _lora(linears: Mapping[str, tuple[int, int]], rows: int, rank: int) -> tuple[int, int]:
    """Forward operations of the small matrices down to the rank, and of those back up."""
    down = sum(2 * rows * inputs * rank for inputs, _ in linears.values())
    up = sum(2 * rows * rank * outputs for _, outputs in linears.values())
    return down, up
