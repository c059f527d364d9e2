"""How many visual tokens a picture becomes, and how many patches are looked at for it, by family.

The rules are those of transformers' own processors, asked where they can be without a checkpoint;
a test asks the whole processors.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from benchmark.core.errors import UserError
from benchmark.core.samples import ImageFile, Sample
from benchmark.models.shape import Family, Shape, VisionShape

PADDED_TO = 8
"""Places of a tile, of which Llama 3.2's tower makes a multiple of this
(transformers, `MllamaVisionModel.forward`)."""

NATURAL = 336
"""Pixels of a side, for comparison: what LLaVA-1.5 scales any picture to."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One picture: `tokens` in the language model's sequence; `visual` tokens that come out of the
    projector (other than `tokens` where newlines are added, or they are no part of the sequence);
    `patches` that its pixels become; `places` in the vision tower's layers, class tokens and
    padding among them; `pairs` of these that attend to each other in one layer, and `near_pairs` in
    a layer that attends within windows."""

    tokens: int
    visual: int
    patches: int
    places: int
    pairs: int
    near_pairs: int = 0


@dataclass(frozen=True)
class Pictures:
    """What becomes of pictures, whose sizes are read from their files."""

    family: Family
    shape: Shape
    _known: dict[str, Seen] = field(default_factory=dict)
    _sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def seen(self, image: ImageFile) -> Seen:
        """One of them, read once; `UserError` where it cannot be."""
        if image.sha256 not in self._known:
            self._known[image.sha256] = self._read(image)
        return self._known[image.sha256]

    def n_tokens(self, samples: Iterable[Sample]) -> int:
        """Of all their pictures, in the language model's sequences."""
        return sum(self.seen(image).tokens for sample in samples for image in sample.images)

    def n_seen(self, samples: Iterable[Sample]) -> int:
        """Visual tokens that each of a batch can look at beside its words: as many as the one with
        most images has; none where they stand among the words."""
        if not self.shape.language.cross_layers:
            return 0
        return max(sum(self.seen(image).visual for image in one.images) for one in samples)

    def _read(self, image: ImageFile) -> Seen:
        try:
            with Image.open(image.path) as picture:
                width, height = picture.size
        except OSError as error:
            raise UserError(f"image {image.path} cannot be read: {error}") from None
        self._sizes[image.sha256] = width, height
        return self.of_size(width, height)

    def of_size(self, width: int, height: int) -> Seen:
        """What becomes of any picture of so many pixels."""
        return seen(self.family, self.shape.vision, width=width, height=height)

    def depending_on_size(self, images: Iterable[ImageFile]) -> list[str]:
        """In words, what most of these pictures come to and what a natural one would; nothing where
        the two are the same."""
        seen_at: Counter[tuple[int, int]] = Counter()
        for image in images:
            self.seen(image)
            seen_at[self._sizes[image.sha256]] += 1
        if not seen_at:
            return []
        (width, height), n = seen_at.most_common(1)[0]
        here, natural = self.of_size(width, height).visual, self.of_size(NATURAL, NATURAL).visual
        if here == natural:
            return []
        most = "" if n == seen_at.total() else "most of "
        return [
            f"{most}the suite's pictures have {width} x {height} pixels, {here} visual tokens "
            f"each; one of {NATURAL} x {NATURAL} takes {natural}"
        ]


def seen(family: Family, vision: VisionShape, *, width: int, height: int) -> Seen:
    """What becomes of a picture of so many pixels."""
    if family in ("qwen2_vl", "qwen2_5_vl", "qwen3_vl"):
        return _at_its_own_size(vision, width=width, height=height)
    if family in ("llava_next", "llava_onevision"):
        return _unpadded(family, vision, width=width, height=height)
    if family == "mllama":
        return _all_tiles_together(vision)
    n_tiles = 1
    if family == "internvl":
        n_tiles = _internvl_tiles(vision, width=width, height=height)
    if family in ("idefics3", "smolvlm"):
        n_tiles = _idefics3_tiles(vision, width=width, height=height)
    return _apart(family, vision, n_tiles=n_tiles, tokens=n_tiles * vision.tile_tokens)


def _apart(family: Family, vision: VisionShape, *, n_tiles: int, tokens: int) -> Seen:
    """Tiles that do not attend to each other, some with a class token."""
    places = vision.patches + (family in ("llava", "llava_next", "internvl"))
    return Seen(
        tokens=tokens,
        visual=n_tiles * vision.tile_tokens,
        patches=n_tiles * vision.patches,
        places=n_tiles * places,
        pairs=n_tiles * places**2,
    )


def _all_tiles_together(vision: VisionShape) -> Seen:
    """Padded to the most tiles there may be, whatever its size; one placeholder in the text."""
    of_tile = vision.patches + 1
    places = vision.max_tiles * (PADDED_TO * math.ceil(of_tile / PADDED_TO))
    return Seen(
        tokens=1,
        visual=vision.max_tiles * of_tile,
        patches=vision.max_tiles * vision.patches,
        places=places,
        pairs=places**2,
    )


def _at_its_own_size(vision: VisionShape, *, width: int, height: int) -> Seen:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    try:
        high, wide = smart_resize(
            height, width, factor=vision.patch_size * vision.merge,
            min_pixels=vision.min_pixels, max_pixels=vision.max_pixels,
        )  # fmt: skip
    except ValueError as error:
        raise UserError(f"a picture of {width} x {height} pixels: {error}") from None
    rows, columns = high // vision.patch_size, wide // vision.patch_size
    patches = rows * columns
    return Seen(
        tokens=patches // vision.merge**2,
        visual=patches // vision.merge**2,
        patches=patches,
        places=patches,
        pairs=patches**2,
        near_pairs=_squares(rows, vision) * _squares(columns, vision),
    )


def _squares(n_patches: int, vision: VisionShape) -> int:
    """Of the sides of the windows along a picture's side, added up; the last may be cut short.
    Windows are whole merged tokens, and there are none without `vision.window`."""
    side = vision.window // vision.merge * vision.merge
    if not side:
        return 0
    whole, rest = divmod(n_patches, side)
    return whole * side**2 + rest**2


def _unpadded(family: Family, vision: VisionShape, *, width: int, height: int) -> Seen:
    """An overview, and tiles whose padding is cut away, with a newline after each row."""
    from transformers.image_processing_utils import select_best_resolution

    grid = [list(size) for size in vision.grid]
    best_high, best_wide = select_best_resolution((height, width), grid)
    n_high, n_wide = best_high // vision.image_size, best_wide // vision.image_size
    processor = _processor(family, vision)
    side = vision.image_size // vision.patch_size
    counted = processor._get_unpadded_features(height, width, side, side, n_high, n_wide)
    tokens = sum(counted) + vision.tile_tokens
    return _apart(family, vision, n_tiles=1 + n_high * n_wide, tokens=tokens)


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
