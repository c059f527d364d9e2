"""Qwen2.5-VL: patches of 4 x 4 pixels, attended to in windows and merged by fours, beside a Qwen2.

What makes the family another one is kept: small patches merged to one visual token per cell,
windowed attention but for some layers, rotary positions in tower and language model (there by row
and column), gated maps and RMS norms in the tower, keys shared by heads and biases on queries, keys
and values. Sizes apart, shares are the real model's, but for full attention: every second layer
here (4 of 32 there), or what a whole picture shows could not get round a tower this low.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessorPil,
)
from transformers.vision_utils import get_vision_window_index

from benchmark.testbed.architectures.architecture import (
    HEADS,
    IMAGE_MEAN,
    IMAGE_STD,
    N_CONTEXT,
    WIDTH,
    Architecture,
    normalised,
)
from benchmark.testbed.font import CELL
from benchmark.testbed.images import SIDE
from benchmark.testbed.tokenizer import BOS, EOS, PAD
from benchmark.vlm.processors import for_images

MERGE, FRAMES = 2, 2
PATCH = CELL // MERGE
GRID = SIDE // PATCH
TOWER_WIDTH, TOWER_HEADS, TOWER_FEED_FORWARD = 64, 4, 192
WINDOW = SIDE // 2
KV_HEADS, FEED_FORWARD = 2, 448
# Time, rows and columns share half a head's width as they do in the real model (16, 24, 24).
MROPE = (4, 6, 6)
IMAGE, VIDEO, BEGIN, END = "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"


class Qwen(Architecture):
    """Four patches are one visual token."""

    name: ClassVar[str] = "qwen"
    described: ClassVar[str] = (
        "A Qwen2.5-VL in miniature (windowed vision tower, patch merger, Qwen2)"
    )
    image_token: ClassVar[str] = IMAGE
    image_text: ClassVar[str] = f"{BEGIN}{IMAGE}{END}"
    more_tokens: ClassVar[tuple[str, ...]] = (BEGIN, END, VIDEO)
    tower_layers: ClassVar[int] = 4
    n_features: ClassVar[int] = MERGE**2 * TOWER_WIDTH

    def processor(self) -> Qwen2_5_VLProcessor:
        """One that shows about as many pixels of any picture as the world's own have."""
        tokenizer = self.tokenizer()
        pixels = Qwen2VLImageProcessorPil(
            size={"shortest_edge": SIDE**2, "longest_edge": SIDE**2},
            patch_size=PATCH,
            merge_size=MERGE,
            temporal_patch_size=FRAMES,
            image_mean=list(IMAGE_MEAN),
            image_std=list(IMAGE_STD),
        )
        return for_images(Qwen2_5_VLProcessor)(
            pixels, tokenizer, None, chat_template=tokenizer.chat_template
        )

    def tower(self, model: Any) -> nn.Module:
        """Without the merger, which transformers keeps inside."""
        visual = model.model.visual
        return nn.ModuleDict({"patch_embed": visual.patch_embed, "blocks": visual.blocks})

    def projector(self, model: Any) -> nn.Module:
        """The patch merger."""
        merger: nn.Module = model.model.visual.merger
        return merger

    def pixels(self, pictures_HWC: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """`pixel_values` [B x patches, 3 x frames x 16], the four patches of a visual token in a
        row, and `image_grid_thw` [B, 3]."""
        pixels_BCHW = normalised(pictures_HWC)
        n_pictures, n_colours = pixels_BCHW.shape[:2]
        side = GRID // MERGE
        cut = pixels_BCHW.view(n_pictures, n_colours, side, MERGE, PATCH, side, MERGE, PATCH)
        patches = cut.permute(0, 2, 5, 3, 6, 1, 4, 7).unsqueeze(6)
        # A still picture is a film of the same frame twice.
        still = patches.expand(*patches.shape[:6], FRAMES, PATCH, PATCH)
        return {
            "pixel_values": still.reshape(n_pictures * GRID**2, n_colours * FRAMES * PATCH**2),
            "image_grid_thw": torch.tensor([[1, GRID, GRID]] * n_pictures),
        }

    def marks(self, ids_BT: Tensor) -> dict[str, Tensor]:
        """Which are visual: positions are by row and column there."""
        return {"mm_token_type_ids": (ids_BT == self.vocabulary[IMAGE]).int()}

    def seen(self, model: Any, pixels: dict[str, Tensor]) -> Tensor:
        """The features of a visual token's four patches side by side."""
        visual, grids = model.model.visual, pixels["image_grid_thw"]
        hidden_NW = visual(pixels["pixel_values"], grid_thw=grids).last_hidden_state
        # The tower leaves visual tokens in the order of its windows.
        order, _ = get_vision_window_index(
            grids, spatial_merge_size=MERGE, window_size=WINDOW, patch_size=PATCH
        )
        tokens_NF = hidden_NW.reshape(len(order), self.n_features)[torch.argsort(order)]
        return tokens_NF.view(len(grids), -1, self.n_features)

    def projected(self, model: Any, seen_BPF: Tensor) -> Tensor:
        """The merger's, visual token by visual token."""
        n_pictures, n_tokens, _ = seen_BPF.shape
        merged: Tensor = model.model.visual.merger(seen_BPF.reshape(-1, TOWER_WIDTH))
        return merged.view(n_pictures, n_tokens, -1)

    def _random(
        self, vision_layers: int, language_layers: int
    ) -> Qwen2_5_VLForConditionalGeneration:
        ids = self.vocabulary
        config = Qwen2_5_VLConfig(
            vision_config={
                "depth": vision_layers,
                "hidden_size": TOWER_WIDTH,
                "out_hidden_size": WIDTH,
                "intermediate_size": TOWER_FEED_FORWARD,
                "num_heads": TOWER_HEADS,
                "patch_size": PATCH,
                "spatial_merge_size": MERGE,
                "temporal_patch_size": FRAMES,
                "window_size": WINDOW,
                "fullatt_block_indexes": list(range(1, vision_layers, 2)),
            },
            text_config={
                "vocab_size": len(ids),
                "hidden_size": WIDTH,
                "intermediate_size": FEED_FORWARD,
                "num_hidden_layers": language_layers,
                "num_attention_heads": HEADS,
                "num_key_value_heads": KV_HEADS,
                "max_position_embeddings": N_CONTEXT,
                "rope_parameters": {
                    "rope_type": "default", "rope_theta": 1e4, "mrope_section": list(MROPE),
                },
                "tie_word_embeddings": False,
                "pad_token_id": ids[PAD],
                "bos_token_id": ids[BOS],
                "eos_token_id": ids[EOS],
            },
            image_token_id=ids[IMAGE],
            video_token_id=ids[VIDEO],
            vision_start_token_id=ids[BEGIN],
            vision_end_token_id=ids[END],
            tie_word_embeddings=False,
        )  # fmt: skip
        return Qwen2_5_VLForConditionalGeneration(config)
