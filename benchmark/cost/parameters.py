"""How many parameters a model of a family and shape has, part by part: every map, bias and norm.

A part is a list of linear maps, of which operations, adapters and 4-bit weights are reckoned, and
what else it holds (embeddings, norms, scales). What tells families apart stands in `_SEEING`; the
counts equal those of the architectures that transformers builds (`tests/test_shapes.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from benchmark.models.shape import Family, LanguageShape, Shape, VisionShape

CHANNELS = 3


@dataclass(frozen=True)
class Maps:
    """`n` linear maps of one size."""

    inputs: int
    outputs: int
    n: int = 1
    bias: bool = False

    @property
    def weights(self) -> int:
        """Without biases."""
        return self.inputs * self.outputs * self.n

    @property
    def parameters(self) -> int:
        """With biases."""
        return self.weights + (self.outputs * self.n if self.bias else 0)


@dataclass(frozen=True)
class Part:
    """Linear maps that every row goes through, and the parameters that are no linear map's."""

    maps: tuple[Maps, ...] = ()
    rest: int = 0

    @property
    def weights(self) -> int:
        """Of the linear maps, without biases: what one row is multiplied with."""
        return sum(one.weights for one in self.maps)

    @property
    def parameters(self) -> int:
        """All of them."""
        return sum(one.parameters for one in self.maps) + self.rest


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A whole model. `patches` is the map of `vision` that embeds a picture's pixels. `layers` is
    the language model without what embeds words and says them; `cross` are those of its maps that
    look at visual tokens (Llama 3.2), counted in `layers` too; `head` has no parameters where it is
    the embedding."""

    patches: Maps
    vision: Part
    projector: Part
    layers: Part
    cross: Part
    embedding: Part
    head: Part
    head_weights: int

    @property
    def language(self) -> int:
        """Parameters of the whole language model, the head among them."""
        return self.layers.parameters + self.embedding.parameters + self.head.parameters

    @property
    def parameters(self) -> int:
        """Of the whole model."""
        return self.vision.parameters + self.projector.parameters + self.language


def parts_of(family: Family, shape: Shape) -> Parts:
    """Every part of a model."""
    language, vision = shape.language, shape.vision
    seeing = _SEEING[family]
    words = language.vocabulary * language.hidden
    return Parts(
        patches=_patches(vision),
        vision=seeing.tower(vision),
        projector=seeing.between(vision, language.hidden),
        layers=_layers(language),
        cross=Part(_cross_values(language)),
        embedding=Part(rest=words + language.extra_words * language.hidden),
        head=Part() if language.tied else Part((Maps(language.hidden, language.vocabulary),)),
        head_weights=words,
    )


# -- language -----------------------------------------------------------------------------------


def _layers(shape: LanguageShape) -> Part:
    """Self-attention or, in Llama 3.2, cross-attention; a gated feed-forward; norms."""
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    selfish = shape.layers - shape.cross_layers
    maps = (
        Maps(shape.hidden, queries, shape.layers, bias=shape.attention_bias),
        Maps(shape.hidden, keys, 2 * selfish, bias=shape.attention_bias),
        *_cross_values(shape),
        Maps(queries, shape.hidden, shape.layers),
        Maps(shape.hidden, shape.feed_forward, 2 * shape.layers),
        Maps(shape.feed_forward, shape.hidden, shape.layers),
    )
    normed = shape.layers if shape.head_norms else shape.cross_layers
    norms = (shape.norms * shape.layers + 1) * shape.hidden + 2 * normed * shape.head_size
    # A cross-attention layer and its feed-forward each have a gate of one number.
    return Part(maps, norms + 2 * shape.cross_layers)


def _cross_values(shape: LanguageShape) -> tuple[Maps, ...]:
    if not shape.cross_layers:
        return ()
    return (Maps(shape.hidden, shape.kv_heads * shape.head_size, 2 * shape.cross_layers),)


# -- vision -------------------------------------------------------------------------------------


def _blocks(shape: VisionShape, *, layers: int | None = None, bias: bool = True) -> list[Maps]:
    """Attention and a plain feed-forward in every layer."""
    n = shape.layers if layers is None else layers
    return [
        Maps(shape.width, shape.width, 4 * n, bias=bias),
        Maps(shape.width, shape.feed_forward, n, bias=bias),
        Maps(shape.feed_forward, shape.width, n, bias=bias),
    ]


def _patches(shape: VisionShape, *, bias: bool = True) -> Maps:
    return Maps(CHANNELS * shape.frames * shape.patch_size**2, shape.width, bias=bias)


def _part(maps: Iterable[Maps], rest: int = 0) -> Part:
    return Part(tuple(maps), rest)


def _clip(shape: VisionShape) -> Part:
    """A class token; norms with biases, two a layer, one before and one after all."""
    norms = 2 * shape.width * (2 * shape.layers + 2)
    places = (shape.patches + 2) * shape.width
    return _part([_patches(shape, bias=False), *_blocks(shape)], norms + places)


def _siglip(shape: VisionShape) -> Part:
    """Neither a class token nor a norm before."""
    norms = 2 * shape.width * (2 * shape.layers + 1)
    return _part([_patches(shape), *_blocks(shape)], norms + shape.patches * shape.width)


def _qwen2(shape: VisionShape) -> Part:
    """Positions are rotations; the norm after all belongs to the merger."""
    norms = 2 * shape.width * 2 * shape.layers
    return _part([_patches(shape, bias=False), *_blocks(shape)], norms)


def _qwen2_5(shape: VisionShape) -> Part:
    """A gated feed-forward, and norms without biases."""
    n = shape.layers
    maps = [
        _patches(shape, bias=False),
        Maps(shape.width, shape.width, 4 * n, bias=True),
        Maps(shape.width, shape.feed_forward, 2 * n, bias=True),
        Maps(shape.feed_forward, shape.width, n, bias=True),
    ]
    return _part(maps, 2 * n * shape.width)


def _qwen3(shape: VisionShape) -> Part:
    """Positions are learnt and rotated."""
    norms = 2 * shape.width * 2 * shape.layers
    return _part([_patches(shape), *_blocks(shape)], norms + shape.patches * shape.width)


def _internvl(shape: VisionShape) -> Part:
    """A class token, two scales a layer, and no norm after all."""
    n, width = shape.layers, shape.width
    places = (shape.patches + 2) * width
    # Queries, keys and values have biases, as the map that follows them.
    return _part([_patches(shape), *_blocks(shape)], places + 2 * n * (2 * width) + 2 * n * width)


def _mllama(shape: VisionShape) -> Part:
    """Layers without biases in their attention; global ones have two gates; places are learnt by
    aspect ratio and tile, before and after the layers, and gated."""
    width, tiles = shape.width, shape.max_tiles
    n = shape.layers + shape.global_layers
    maps = [
        _patches(shape, bias=False),
        Maps(width, width, 4 * n),
        Maps(width, shape.feed_forward, n, bias=True),
        Maps(shape.feed_forward, width, n, bias=True),
    ]
    norms = 2 * width * (2 * n + 2)
    places = (shape.patches + 1) * width
    by_ratio = (shape.aspect_ratios + 1) * tiles * (places + 2 * width)
    class_token, gates = width, 3 + 2 * shape.global_layers
    return _part(maps, norms + places + by_ratio + class_token + gates)


# -- between ------------------------------------------------------------------------------------


def _two_maps(shape: VisionShape, hidden: int) -> Part:
    return Part((Maps(shape.width, hidden, bias=True), Maps(hidden, hidden, bias=True)))


def _two_maps_and_newline(shape: VisionShape, hidden: int) -> Part:
    return Part(_two_maps(shape, hidden).maps, rest=hidden)


def _merger(shape: VisionShape, hidden: int, *, norm: int) -> Part:
    merged = shape.merge**2 * shape.width
    return Part((Maps(merged, merged, bias=True), Maps(merged, hidden, bias=True)), rest=norm)


def _qwen2_merger(shape: VisionShape, hidden: int) -> Part:
    return _merger(shape, hidden, norm=2 * shape.width)


def _qwen2_5_merger(shape: VisionShape, hidden: int) -> Part:
    return _merger(shape, hidden, norm=shape.width)


def _qwen3_mergers(shape: VisionShape, hidden: int) -> Part:
    """One after the last layer, normed before merging, and one for each tap, normed after."""
    merged = shape.merge**2 * shape.width
    n = 1 + shape.taps
    maps = (Maps(merged, merged, n, bias=True), Maps(merged, hidden, n, bias=True))
    return Part(maps, rest=2 * shape.width + 2 * merged * shape.taps)


def _internvl_projector(shape: VisionShape, hidden: int) -> Part:
    merged = shape.merge**2 * shape.width
    maps = (Maps(merged, hidden, bias=True), Maps(hidden, hidden, bias=True))
    return Part(maps, rest=2 * merged)


def _one_map_of_merged(shape: VisionShape, hidden: int) -> Part:
    return Part((Maps(shape.merge**2 * shape.width, hidden),))


def _gemma3_projector(shape: VisionShape, hidden: int) -> Part:
    return Part((Maps(shape.width, hidden),), rest=shape.width)


def _one_map(shape: VisionShape, hidden: int) -> Part:
    return Part((Maps(shape.width, hidden, bias=True),))


def _mllama_projector(shape: VisionShape, hidden: int) -> Part:
    return Part((Maps((1 + shape.taps) * shape.width, hidden, bias=True),))


@dataclass(frozen=True)
class _Seeing:
    tower: Callable[[VisionShape], Part]
    between: Callable[[VisionShape, int], Part]


_SEEING: dict[Family, _Seeing] = {
    "llava": _Seeing(_clip, _two_maps),
    "llava_next": _Seeing(_clip, _two_maps_and_newline),
    "llava_onevision": _Seeing(_siglip, _two_maps_and_newline),
    "qwen2_vl": _Seeing(_qwen2, _qwen2_merger),
    "qwen2_5_vl": _Seeing(_qwen2_5, _qwen2_5_merger),
    "qwen3_vl": _Seeing(_qwen3, _qwen3_mergers),
    "internvl": _Seeing(_internvl, _internvl_projector),
    "idefics3": _Seeing(_siglip, _one_map_of_merged),
    "smolvlm": _Seeing(_siglip, _one_map_of_merged),
    "gemma3": _Seeing(_siglip, _gemma3_projector),
    "paligemma": _Seeing(_siglip, _one_map),
    "mllama": _Seeing(_mllama, _mllama_projector),
}
