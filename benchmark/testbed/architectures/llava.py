"""LLaVA-1.5: a CLIP tower of 8 x 8 patches, a two-layer projector, a Llama."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from benchmark.testbed.architectures.architecture import (
    HEADS,
    IMAGE_MEAN,
    IMAGE_STD,
    N_CONTEXT,
    N_IMAGE_TOKENS,
    WIDTH,
    Architecture,
    normalised,
)
from benchmark.testbed.font import CELL
from benchmark.testbed.images import SIDE
from benchmark.testbed.tokenizer import BOS, EOS, IMAGE, PAD

TOWER_WIDTH, TOWER_HEADS = 128, 4
FEED_FORWARD = 512


class Llava(Architecture):
    """Pictures are patches in a row beside a class token, which is not projected."""

    name: ClassVar[str] = "llava"
    described: ClassVar[str] = "A LLaVA in miniature (CLIP vision tower, MLP projector, Llama)"
    image_token: ClassVar[str] = IMAGE
    image_text: ClassVar[str] = IMAGE
    tower_layers: ClassVar[int] = 4
    n_features: ClassVar[int] = TOWER_WIDTH

    def processor(self) -> LlavaProcessor:
        """One that takes pictures of any size and shows 64 x 64 pixels of them."""
        tokenizer = self.tokenizer()
        pixels = CLIPImageProcessorPil(
            size={"shortest_edge": SIDE},
            crop_size={"height": SIDE, "width": SIDE},
            image_mean=list(IMAGE_MEAN),
            image_std=list(IMAGE_STD),
        )
        return LlavaProcessor(
            image_processor=pixels,
            tokenizer=tokenizer,
            patch_size=CELL,
            vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
            image_token=IMAGE,
            chat_template=tokenizer.chat_template,
        )

    def tower(self, model: Any) -> nn.Module:
        """With its class token."""
        tower: nn.Module = model.model.vision_tower
        return tower

    def projector(self, model: Any) -> nn.Module:
        """Two linear maps."""
        projector: nn.Module = model.model.multi_modal_projector
        return projector

    def pixels(self, pictures_HWC: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """`pixel_values` [B, 3, H, W]."""
        return {"pixel_values": normalised(pictures_HWC)}

    def marks(self, ids_BT: Tensor) -> dict[str, Tensor]:
        """None."""
        return {}

    def seen(self, model: Any, pixels: dict[str, Tensor]) -> Tensor:
        """One feature vector a patch, the class token's left out."""
        seen_BPF: Tensor = model.model.vision_tower(pixels["pixel_values"]).last_hidden_state[:, 1:]
        return seen_BPF

    def projected(self, model: Any, seen_BPF: Tensor) -> Tensor:
        """Patch by patch."""
        projected_BPD: Tensor = model.model.multi_modal_projector(seen_BPF)
        return projected_BPD

    def _random(self, vision_layers: int, language_layers: int) -> LlavaForConditionalGeneration:
        ids = self.vocabulary
        named = {
            "pad_token_id": ids[PAD], "bos_token_id": ids[BOS], "eos_token_id": ids[EOS],
        }  # fmt: skip
        config = LlavaConfig(
            vision_config=CLIPVisionConfig(
                hidden_size=TOWER_WIDTH,
                intermediate_size=4 * TOWER_WIDTH,
                num_hidden_layers=vision_layers,
                num_attention_heads=TOWER_HEADS,
                image_size=SIDE,
                patch_size=CELL,
                projection_dim=TOWER_WIDTH,
            ),
            text_config=LlamaConfig(
                vocab_size=len(ids),
                hidden_size=WIDTH,
                intermediate_size=FEED_FORWARD,
                num_hidden_layers=language_layers,
                num_attention_heads=HEADS,
                num_key_value_heads=HEADS,
                max_position_embeddings=N_CONTEXT,
                tie_word_embeddings=False,
                **named,
            ),
            image_token_index=ids[IMAGE],
            image_seq_length=N_IMAGE_TOKENS,
            # LLaVA-1.5 takes the last layer but one; this tower has none to spare.
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            **named,
        )
        return LlavaForConditionalGeneration(config)
