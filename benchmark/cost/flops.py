"""Floating-point operations of a language model, and of looking at a picture, from shapes alone.

A product of [m, k] and [k, n] counts 2mkn; only products count (not norms, softmax or rotations),
as torch's FlopCounterMode counts them. Analytic, so that quantised layers count like any others.
Attention counts over all pairs of places, as it is computed where masks forbid some of them.
Letters: B sequences, T tokens each (padding included, for it is computed), S places that each of
them can look at beside its words: visual tokens, where layers attend to images in place of the text
(Llama 3.2). Such layers do nothing where there are no images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.cost.parameters import Maps, parts_of
from benchmark.cost.pictures import Seen
from benchmark.models.shape import Family, LanguageShape, Shape


@dataclass(frozen=True, kw_only=True)
class _Applied:
    """Linear maps of one size, each applied to so many rows, and what these are: words as they are
    embedded, states of layers below, or what is seen of images."""

    maps: Maps
    rows: int
    of: Literal["words", "states", "images"]

    @property
    def flops(self) -> int:
        """Of going forward."""
        return 2 * self.rows * self.maps.weights

    def adapter_flops(self, rank: int) -> tuple[int, int]:
        """Of going forward through the small matrices, (down to the rank, back up)."""
        a_row = 2 * self.rows * rank * self.maps.n
        return a_row * self.maps.inputs, a_row * self.maps.outputs


def forward_flops(
    shape: LanguageShape, *, n_sequences: int, n_tokens: int, n_logits: int, n_seen: int = 0
) -> float:
    """Forward operations of B = `n_sequences` of T = `n_tokens`, with logits at `n_logits` places
    of the whole batch and S = `n_seen`. What is seen of images is there already."""
    rows, seen = n_sequences * n_tokens, n_sequences * n_seen
    maps = _applied(shape, rows=rows, seen=seen, looks=n_seen > 0)
    attention = _attention(shape, rows, n_tokens=n_tokens, n_seen=n_seen)
    return float(sum(one.flops for one in maps) + attention + _head(shape, n_logits))


def training_flops(
    shape: LanguageShape,
    *,
    n_sequences: int,
    n_tokens: int,
    n_logits: int,
    tuning: str,
    lora_rank: int = 0,
    n_seen: int = 0,
) -> float:
    """Forward and backward operations of one batch when the language model is trained.

    `tuning` full: every map also gives a gradient to its input and its weights (twice its forward
    cost). Any LoRA, on every linear map of every layer: frozen maps pass gradients on (once
    their forward cost) except where nothing below needs them, in the first layer's queries, keys
    and values; the two small matrices pay in full. Nothing is passed on to images: they are frozen.
    """
    rows, seen = n_sequences * n_tokens, n_sequences * n_seen
    applied = _applied(shape, rows=rows, seen=seen, looks=n_seen > 0)
    passing = {"states", "words"} if tuning == "full" else {"states"}
    forward = forward_flops(
        shape, n_sequences=n_sequences, n_tokens=n_tokens, n_logits=n_logits, n_seen=n_seen
    )
    passed_on = sum(one.flops for one in applied if one.of in passing) + _head(shape, n_logits)
    attention = 2 * _attention(shape, rows, n_tokens=n_tokens, n_seen=n_seen)
    if tuning == "full":
        weights = sum(one.flops for one in applied) + _head(shape, n_logits)
    else:
        weights = sum(_adapter(one, lora_rank, passes_on=one.of in passing) for one in applied)
    return forward + passed_on + attention + weights


def recomputed_flops(
    shape: LanguageShape,
    *,
    n_sequences: int,
    n_tokens: int,
    tuning: str,
    lora_rank: int = 0,
    n_seen: int = 0,
) -> float:
    """What gradient checkpointing adds to the training of one batch: the language layers once more,
    adapters among them, but for the last product of each layer where nothing is needed of it: no
    norm comes after it, and no gate as in layers that attend to images."""
    rank = 0 if tuning == "full" else lora_rank
    rows, seen = n_sequences * n_tokens, n_sequences * n_seen
    layers = forward_flops(
        shape, n_sequences=n_sequences, n_tokens=n_tokens, n_logits=0, n_seen=n_seen
    )
    adapters = sum(
        sum(one.adapter_flops(rank))
        for one in _applied(shape, rows=rows, seen=seen, looks=n_seen > 0)
    )
    last = 0 if shape.norms == 4 else 2 * rows * (rank or shape.feed_forward) * shape.hidden
    return layers + adapters - (shape.layers - shape.cross_layers) * last


def words_flops(
    shape: LanguageShape, *, n_sequences: int, n_before: int, n_words: int, n_seen: int = 0
) -> float:
    """Forward operations of as many more words after T = `n_before`, one after another with logits
    for each, where keys and values of all before are kept: each goes through every map once, and
    attends to half of its own kind on average. Layers that forget what lies outside a window
    (Gemma) are reckoned as if they did not."""
    rows = n_sequences * n_words
    maps = _applied(shape, rows=rows, seen=0, looks=n_seen > 0)
    attention = _attention(shape, rows, n_tokens=n_before + (n_words + 1) / 2, n_seen=n_seen)
    return float(sum(one.flops for one in maps) + attention + _head(shape, rows))


def image_flops(family: Family, shape: Shape, seen: Seen) -> float:
    """Forward operations of the vision tower and the projector on one picture."""
    vision, parts = shape.vision, parts_of(family, shape)
    near = vision.layers - vision.full_layers if vision.window else 0
    far = vision.layers + vision.global_layers - near
    layers = parts.vision.weights - parts.patches.weights
    # Llama 3.2 makes its mask over tiles by a product of one number a place.
    mask = 2 * seen.pairs if family == "mllama" else 0
    return float(
        2 * seen.patches * parts.patches.weights
        + 2 * seen.places * layers
        + 4 * vision.width * (far * seen.pairs + near * seen.near_pairs)
        + mask
        + 2 * seen.visual * parts.projector.weights
    )


def _applied(shape: LanguageShape, *, rows: int, seen: int, looks: bool) -> list[_Applied]:
    """Every linear map of the layers that do anything: to `rows` of text, and to `seen` of images
    whose keys and values are not there yet."""
    h, f = shape.hidden, shape.feed_forward
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    reading = shape.layers - shape.cross_layers
    looking = shape.cross_layers if looks else 0
    layers = reading + looking
    return [
        _Applied(maps=Maps(h, queries), rows=rows, of="words"),
        _Applied(maps=Maps(h, keys, 2), rows=rows, of="words"),
        _Applied(maps=Maps(h, queries, layers - 1), rows=rows, of="states"),
        _Applied(maps=Maps(h, keys, 2 * (reading - 1)), rows=rows, of="states"),
        _Applied(maps=Maps(h, keys, 2 * looking), rows=seen, of="images"),
        _Applied(maps=Maps(queries, h, layers), rows=rows, of="states"),
        _Applied(maps=Maps(h, f, 2 * layers), rows=rows, of="states"),
        _Applied(maps=Maps(f, h, layers), rows=rows, of="states"),
    ]


def _attention(shape: LanguageShape, rows: int, *, n_tokens: float, n_seen: int) -> float:
    """Scores and mixtures of all layers, over all pairs of places."""
    reading = (shape.layers - shape.cross_layers) * n_tokens
    return 4 * rows * shape.heads * shape.head_size * (reading + shape.cross_layers * n_seen)


def _head(shape: LanguageShape, n_logits: int) -> int:
    return 2 * n_logits * shape.hidden * shape.vocabulary


def _adapter(applied: _Applied, rank: int, *, passes_on: bool) -> int:
    """Of the small matrices beside a map: forward, to their weights and, but for the first where
    nothing below needs it, to what they are applied to."""
    down, up = applied.adapter_flops(rank)
    return (3 if passes_on else 2) * down + 3 * up
