"""How many visual tokens a picture becomes, and how many patches are looked at for it, by family.

The rules are those of transformers' own processors, asked where they can be without a checkpoint;
a test asks the whole processors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmark.core.errors import UserError
from benchmark.models.shape import Family, VisionShape


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One picture: `tokens` in the language model's sequence; `patches` in the vision tower, class
    tokens among them, in `pieces` that do not attend to each other; `visual` tokens that come out
    of the projector (other than `tokens` where newlines are added, or they are no part of the
    sequence)."""

    tokens: int
    visual: int
    patches: int
    pieces: int


def seen(family: Family, vision: VisionShape, *, width: int, height: int) -> Seen:
    """What becomes of a picture of so many pixels."""
    if family in ("qwen2_vl", "qwen2_5_vl", "qwen3_vl"):
        return _at_its_own_size(vision, width=width, height=height)
    if family in ("llava_next", "llava_onevision"):
        return _unpadded(family, vision, width=width, height=height)
    if family == "mllama":
        # Padded to the most tiles there may be, whatever its size; one placeholder in the text.
        rows = vision.max_tiles * _places(family, vision)
        return Seen(tokens=1, visual=rows, patches=rows, pieces=1)
    n_tiles = 1
    if family == "internvl":
        n_tiles = _internvl_tiles(vision, width=width, height=height)
    if family in ("idefics3", "smolvlm"):
        n_tiles = _idefics3_tiles(vision, width=width, height=height)
    tokens = n_tiles * vision.tile_tokens
    patches = n_tiles * _places(family, vision)
    return Seen(tokens=tokens, visual=tokens, patches=patches, pieces=n_tiles)


def _places(family: Family, vision: VisionShape) -> int:
    """In the tower, of one tile: its patches, and a class token where there is one."""
    return vision.patches + (family in ("llava", "llava_next", "internvl", "mllama"))


def _at_its_own_size(vision: VisionShape, *, width: int, height: int) -> Seen:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    try:
        high, wide = smart_resize(
            height, width, factor=vision.patch_size * vision.merge,
            min_pixels=vision.min_pixels, max_pixels=vision.max_pixels,
        )  # fmt: skip
    except ValueError as error:
        raise UserError(f"a picture of {width} x {height} pixels: {error}") from None
    patches = (high // vision.patch_size) * (wide // vision.patch_size)
    tokens = patches // vision.merge**2
    return Seen(tokens=tokens, visual=tokens, patches=patches, pieces=1)


def _unpadded(family: Family, vision: VisionShape, *, width: int, height: int) -> Seen:
    """An overview, and tiles whose padding is cut away, with a newline after each row."""
    from transformers.image_processing_utils import select_best_resolution

    grid = [list(size) for size in vision.grid]
    best_high, best_wide = select_best_resolution((height, width), grid)
    n_high, n_wide = best_high // vision.image_size, best_wide // vision.image_size
    processor = _processor(family, vision)
    side = vision.image_size // vision.patch_size
    counted = processor._get_unpadded_features(height, width, side, side, n_high, n_wide)
    n_tiles = 1 + n_high * n_wide
    return Seen(
        tokens=sum(counted) + vision.tile_tokens,
        visual=n_tiles * vision.tile_tokens,
        patches=n_tiles * _places(family, vision),
        pieces=n_tiles,
    )


def _processor(family: Family, vision: VisionShape) -> Any:
    """The family's processor without anything that needs a checkpoint."""
    from transformers import LlavaNextProcessor, LlavaOnevisionProcessor

    if family == "llava_next":
        return object.__new__(LlavaNextProcessor)
    found: Any = object.__new__(LlavaOnevisionProcessor)
    found.vision_aspect_ratio = f"anyres_max_{vision.max_tiles}"
    return found


def _internvl_tiles(vision: VisionShape, *, width: int, height: int) -> int:
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

    side = vision.image_size
    columns, rows = get_optimal_tiled_canvas((height, width), (side, side), 1, vision.max_tiles)
    return 1 + columns * rows if columns * rows > 1 else 1


def _idefics3_tiles(vision: VisionShape, *, width: int, height: int) -> int:
    from transformers.models.idefics3.image_processing_pil_idefics3 import (
        Idefics3ImageProcessorPil,
    )

    processor = Idefics3ImageProcessorPil(
        size={"longest_edge": vision.longest_edge},
        max_image_size={"longest_edge": vision.image_size},
    )
    n_tiles, _, _ = processor.get_number_of_image_patches(height, width)
    return n_tiles or 1
