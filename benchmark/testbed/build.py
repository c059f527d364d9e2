"""Builds the testbed's untrained model and its processor: ordinary transformers classes, small."""

from __future__ import annotations

import torch
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from benchmark.testbed.images import SIDE
from benchmark.testbed.tokenizer import BOS, EOS, IMAGE, PAD, build_tokenizer, vocabulary

PATCH = 8
VISION_WIDTH, VISION_LAYERS, VISION_HEADS = 128, 4, 4
LANGUAGE_WIDTH, LANGUAGE_LAYERS, LANGUAGE_HEADS = 192, 4, 6
N_CONTEXT = 256
IMAGE_MEAN = IMAGE_STD = (0.5, 0.5, 0.5)


def build_processor() -> LlavaProcessor:
    """The processor that turns messages and pictures into model inputs."""
    tokenizer = build_tokenizer()
    pixels = CLIPImageProcessorPil(
        size={"shortest_edge": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        image_mean=list(IMAGE_MEAN),
        image_std=list(IMAGE_STD),
    )
    return LlavaProcessor(
        image_processor=pixels,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token=IMAGE,
        chat_template=tokenizer.chat_template,
    )


def build_untrained(
    seed: int, *, vision_layers: int = VISION_LAYERS, language_layers: int = LANGUAGE_LAYERS
) -> LlavaForConditionalGeneration:
    """A randomly initialised LLaVA with greedy generation settings, in fp32."""
    ids = vocabulary()
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=VISION_WIDTH,
            intermediate_size=4 * VISION_WIDTH,
            num_hidden_layers=vision_layers,
            num_attention_heads=VISION_HEADS,
            image_size=SIDE,
            patch_size=PATCH,
            projection_dim=VISION_WIDTH,
        ),
        text_config=LlamaConfig(
            vocab_size=len(ids),
            hidden_size=LANGUAGE_WIDTH,
            intermediate_size=512,
            num_hidden_layers=language_layers,
            num_attention_heads=LANGUAGE_HEADS,
            num_key_value_heads=LANGUAGE_HEADS,
            max_position_embeddings=N_CONTEXT,
            pad_token_id=ids[PAD],
            bos_token_id=ids[BOS],
            eos_token_id=ids[EOS],
            tie_word_embeddings=False,
        ),
        image_token_index=ids[IMAGE],
        image_seq_length=(SIDE // PATCH) ** 2,
        # LLaVA-1.5 takes the last layer but one; this tower has none to spare.
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        pad_token_id=ids[PAD],
        bos_token_id=ids[BOS],
        eos_token_id=ids[EOS],
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=32,
        pad_token_id=ids[PAD],
        bos_token_id=ids[BOS],
        eos_token_id=ids[EOS],
    )
    return model


def reset_projector(model: LlavaForConditionalGeneration, seed: int) -> None:
    """Give the model a fresh, untrained projector in place."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.model.multi_modal_projector.named_parameters():
            if name.endswith("bias"):
                weight.zero_()
            else:
                weight.normal_(0.0, 0.02, generator=generator)
