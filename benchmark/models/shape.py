"""The sizes of a checkpoint, as its own config.json publishes them: what all costs follow from.

Nothing here is a total. Parameters, memory and operations are computed from these
(`benchmark/cost/parameters.py`) and compared with the architectures that transformers builds.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Family = Literal[
    "llava", "llava_next", "llava_onevision", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "internvl",
    "idefics3", "smolvlm", "gemma3", "paligemma", "mllama",
]  # fmt: skip
"""What a checkpoint's config.json calls its `model_type`."""
FAMILIES: tuple[Family, ...] = get_args(Family)

Size = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LanguageShape(_Described):
    """Of the language model. Every feed-forward is gated: three maps.

    `attention_bias`: queries, keys and values have biases (Qwen 2). `head_norms`: queries and keys
    are normed by head (Qwen 3, Gemma 3). `norms`: per layer, 4 in Gemma. `tied`: the head is the
    embedding. `cross_layers` of the `layers` look at the image in place of the text (Llama 3.2);
    `extra_words` are embedded and never said.
    """

    hidden: Size
    layers: Size
    heads: Size
    kv_heads: Size
    head_size: Size
    feed_forward: Size
    vocabulary: Size
    attention_bias: bool = False
    head_norms: bool = False
    norms: Literal[2, 4] = 2
    tied: bool = False
    cross_layers: Number = 0
    extra_words: Number = 0


class VisionShape(_Described):
    """Of the vision tower, and of how pictures reach it.

    `image_size` is what positions were learnt for, in pixels (0: none are learnt). `merge` patches
    a side become one visual token. `taps` are layers whose states are handed on beside the last
    one's. `window` is in patches a side, `full_layers` those that attend beyond it (Qwen 2.5).
    `global_layers`, `aspect_ratios`: Llama 3.2.

    `max_tiles` pieces of a picture are looked at one by one, an overview beside them; `grid` are
    the sizes that it may be brought to, rows by columns in pixels; `min_pixels` and `max_pixels`
    bound it where its own size is kept; `longest_edge` is what it is enlarged or shrunk to.
    """

    width: Size
    layers: Size
    heads: Size
    feed_forward: Size
    patch_size: Size
    image_size: Number = 0
    merge: Size = 1
    frames: Size = 1
    taps: Number = 0
    window: Number = 0
    full_layers: Number = 0
    global_layers: Number = 0
    aspect_ratios: Number = 0
    max_tiles: Size = 1
    grid: tuple[tuple[int, int], ...] = ()
    min_pixels: Number = 0
    max_pixels: Number = 0
    longest_edge: Number = 0

    @property
    def patches(self) -> int:
        """Of one picture or tile of the size that positions were learnt for."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def tile_tokens(self) -> int:
        """Visual tokens of one such picture or tile."""
        return (self.image_size // self.patch_size // self.merge) ** 2


class Shape(_Described):
    """Language model and vision tower; what lies between follows from the family."""

    language: LanguageShape
    vision: VisionShape
