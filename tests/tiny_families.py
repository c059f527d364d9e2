"""Every family that is supported, at a tiny size: its real configuration, model and processor.

The tokenizer is one of bytes with the family's own special tokens; weights are random.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.processors import for_images

Built = tuple[Any, Any]
PATCH = 14
TILE = 2 * PATCH
GRIDS = [[TILE, 2 * TILE], [2 * TILE, TILE], [2 * TILE, 2 * TILE]]
# A width of 64 is the least that 4-bit products on a CPU take.
TEXT = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "tie_word_embeddings": False,
}  # fmt: skip
TOWER = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "image_size": TILE, "patch_size": PATCH,
}  # fmt: skip


def tokenizer_with(*special: str, **named: str) -> PreTrainedTokenizerFast:
    """One of bytes; `named` are the special tokens that a processor finds as attributes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        extra_special_tokens=named,
    )  # fmt: skip
    made.add_special_tokens(
        {"additional_special_tokens": list(special)}, replace_extra_special_tokens=False
    )
    return made


def template(image: str) -> str:
    """A chat template that puts this where an image is."""
    return (
        "<s>{% for turn in messages %}{{ turn['role'] + ': ' }}{% for part in turn['content'] %}"
        "{% if part['type'] == 'image' %}" + image + "{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )


def text_of(tokenizer: PreTrainedTokenizerFast, **more: Any) -> dict[str, Any]:
    """Settings of a language model for this tokenizer."""
    return TEXT | {
        "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
    } | more  # fmt: skip


def llava() -> Built:
    tokenizer = tokenizer_with("<image>")
    pixels = hf.CLIPImageProcessorPil(
        size={"shortest_edge": TILE}, crop_size={"height": TILE, "width": TILE}
    )
    processor = hf.LlavaProcessor(
        pixels, tokenizer, patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=template("<image>"),
    )  # fmt: skip
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**TOWER),
        text_config=hf.LlamaConfig(**text_of(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"), image_seq_length=4,
    )  # fmt: skip
    return hf.LlavaForConditionalGeneration(config), processor


def llava_next(language: type = hf.MistralConfig) -> Built:
    tokenizer = tokenizer_with("<image>")
    pixels = hf.LlavaNextImageProcessorPil(
        size={"shortest_edge": TILE}, crop_size={"height": TILE, "width": TILE},
        image_grid_pinpoints=GRIDS,
    )  # fmt: skip
    processor = hf.LlavaNextProcessor(
        pixels, tokenizer, patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=template("<image>"),
    )  # fmt: skip
    config = hf.LlavaNextConfig(
        vision_config=hf.CLIPVisionConfig(**TOWER),
        text_config=language(**text_of(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=GRIDS, image_seq_length=4,
    )  # fmt: skip
    return hf.LlavaNextForConditionalGeneration(config), processor


def llava_next_vicuna() -> Built:
    return llava_next(hf.LlamaConfig)


def llava_onevision() -> Built:
    tokenizer = tokenizer_with("<image>", "<video>")
    pixels = hf.LlavaOnevisionImageProcessorPil(
        size={"height": TILE, "width": TILE}, image_grid_pinpoints=GRIDS
    )
    processor = for_images(hf.LlavaOnevisionProcessor)(
        pixels, tokenizer, None, num_image_tokens=4, vision_feature_select_strategy="full",
        chat_template=template("<image>"),
    )  # fmt: skip
    config = hf.LlavaOnevisionConfig(
        vision_config=hf.SiglipVisionConfig(**TOWER, vision_use_head=False),
        text_config=hf.Qwen2Config(**text_of(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=GRIDS,
    )  # fmt: skip
    return hf.LlavaOnevisionForConditionalGeneration(config), processor


def _qwen(
    processor: type, config: type, model: type, vision: dict[str, Any], mrope: dict[str, Any]
) -> Built:
    tokenizer = tokenizer_with(
        "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"
    )
    pixels = hf.Qwen2VLImageProcessorPil(
        size={"shortest_edge": TILE**2, "longest_edge": (4 * TILE) ** 2},
        patch_size=vision["patch_size"],
    )
    made = for_images(processor)(
        pixels, tokenizer, None,
        chat_template=template("<|vision_start|><|image_pad|><|vision_end|>"),
    )  # fmt: skip
    rope = {"rope_type": "default", "rope_theta": 1e4, **mrope}
    ids = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in {
            "image": "<|image_pad|>", "video": "<|video_pad|>",
            "vision_start": "<|vision_start|>", "vision_end": "<|vision_end|>",
        }.items()
    }  # fmt: skip
    text = text_of(tokenizer, rope_parameters=rope, head_dim=16)
    return model(config(vision_config=vision, text_config=text, **ids)), made


def qwen2_vl() -> Built:
    return _qwen(
        hf.Qwen2VLProcessor, hf.Qwen2VLConfig, hf.Qwen2VLForConditionalGeneration,
        {"depth": 2, "embed_dim": 32, "hidden_size": 64, "num_heads": 4, "mlp_ratio": 2,
         "patch_size": PATCH},
        {"mrope_section": [2, 3, 3]},
    )  # fmt: skip


def qwen2_5_vl() -> Built:
    return _qwen(
        hf.Qwen2_5_VLProcessor, hf.Qwen2_5_VLConfig, hf.Qwen2_5_VLForConditionalGeneration,
        {"depth": 2, "hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 64,
         "num_heads": 4, "patch_size": PATCH, "fullatt_block_indexes": [1], "window_size": 56},
        {"mrope_section": [2, 3, 3]},
    )  # fmt: skip


def qwen3_vl() -> Built:
    return _qwen(
        hf.Qwen3VLProcessor, hf.Qwen3VLConfig, hf.Qwen3VLForConditionalGeneration,
        {"depth": 2, "hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 64,
         "num_heads": 4, "patch_size": 16, "num_position_embeddings": 64,
         "deepstack_visual_indexes": [0]},
        {"mrope_section": [4, 2, 2], "mrope_interleaved": True},
    )  # fmt: skip


def internvl() -> Built:
    tokenizer = tokenizer_with(
        start_image_token="<img>", end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>", video_token="<video>",
    )  # fmt: skip
    pixels = hf.GotOcr2ImageProcessorPil(
        size={"height": TILE, "width": TILE}, crop_to_patches=False, max_patches=4
    )
    processor = for_images(hf.InternVLProcessor)(
        pixels, tokenizer, None, image_seq_length=1, chat_template=template("<IMG_CONTEXT>")
    )
    tower = TOWER | {"image_size": [TILE, TILE], "patch_size": [PATCH, PATCH]}
    config = hf.InternVLConfig(
        vision_config=hf.InternVLVisionConfig(**tower),
        text_config=hf.Qwen2Config(**text_of(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=1, downsample_ratio=0.5,
    )  # fmt: skip
    return hf.InternVLForConditionalGeneration(config), processor


def _idefics(pixels: type, processor: type, config: type, model: type) -> Built:
    places = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    tokenizer = tokenizer_with(
        "<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *places
    )
    cut = pixels(size={"longest_edge": 4 * TILE}, max_image_size={"longest_edge": 2 * TILE})
    kept = for_images(processor)
    films = () if kept is processor else (None,)
    made = kept(cut, tokenizer, *films, image_seq_len=4, chat_template=template("<image>"))
    settings = config(
        vision_config=TOWER | {"image_size": 2 * TILE},
        text_config=hf.LlamaConfig(**text_of(tokenizer)),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2, pad_token_id=tokenizer.pad_token_id, tie_word_embeddings=False,
    )  # fmt: skip
    return model(settings), made


def idefics3() -> Built:
    return _idefics(
        hf.Idefics3ImageProcessorPil, hf.Idefics3Processor, hf.Idefics3Config,
        hf.Idefics3ForConditionalGeneration,
    )  # fmt: skip


def smolvlm() -> Built:
    return _idefics(
        hf.SmolVLMImageProcessorPil, hf.SmolVLMProcessor, hf.SmolVLMConfig,
        hf.SmolVLMForConditionalGeneration,
    )  # fmt: skip


def gemma3() -> Built:
    tokenizer = tokenizer_with(
        boi_token="<start_of_image>", eoi_token="<end_of_image>", image_token="<image_soft_token>"
    )
    side = 2 * TILE
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessorPil(size={"height": side, "width": side}), tokenizer,
        chat_template=template("<start_of_image>"), image_seq_length=4,
    )  # fmt: skip
    text = text_of(
        tokenizer, head_dim=16, query_pre_attn_scalar=16, sliding_window=32,
        layer_types=["sliding_attention", "full_attention"],
    )  # fmt: skip
    config = hf.Gemma3Config(
        vision_config=hf.SiglipVisionConfig(**TOWER | {"image_size": side}, vision_use_head=False),
        text_config=hf.Gemma3TextConfig(**text), mm_tokens_per_image=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        tie_word_embeddings=False,
    )  # fmt: skip
    return hf.Gemma3ForConditionalGeneration(config), processor


def paligemma() -> Built:
    tokenizer = tokenizer_with("<image>")
    pixels = hf.SiglipImageProcessorPil(size={"height": TILE, "width": TILE})
    pixels.image_seq_length = 4
    processor = hf.PaliGemmaProcessor(pixels, tokenizer, chat_template=template("<image>"))
    text = text_of(tokenizer, head_dim=16, query_pre_attn_scalar=16, sliding_window=32)
    config = hf.PaliGemmaConfig(
        vision_config=hf.SiglipVisionConfig(**TOWER, vision_use_head=False, projection_dim=64),
        text_config=hf.Gemma2Config(**text),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=64, hidden_size=64, tie_word_embeddings=False,
    )  # fmt: skip
    return hf.PaliGemmaForConditionalGeneration(config), processor


def mllama() -> Built:
    tokenizer = tokenizer_with("<|image|>", "<|python_tag|>")
    pixels = hf.MllamaImageProcessorPil(size={"height": TILE, "width": TILE}, max_image_tiles=2)
    processor = hf.MllamaProcessor(pixels, tokenizer, chat_template=template("<|image|>"))
    vision = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_global_layers": 1,
        "attention_heads": 4, "image_size": TILE, "patch_size": PATCH, "vision_output_dim": 64,
        "intermediate_layers_indices": [0], "max_num_tiles": 2,
        "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
    }  # fmt: skip
    text = text_of(tokenizer, num_hidden_layers=3, cross_attention_layers=[1])
    config = hf.MllamaConfig(
        vision_config=vision, text_config=hf.models.mllama.MllamaTextConfig(**text),
        image_token_index=tokenizer.convert_tokens_to_ids("<|image|>"),
    )  # fmt: skip
    return hf.MllamaForConditionalGeneration(config), processor


FAMILIES: dict[str, Callable[[], Built]] = {
    made.__name__: made
    for made in (
        llava, llava_next, llava_next_vicuna, llava_onevision, qwen2_vl, qwen2_5_vl, qwen3_vl,
        internvl, idefics3, smolvlm, gemma3, paligemma, mllama,
    )
}  # fmt: skip


@functools.cache
def checkpoint_of(family: str) -> Path:
    """A folder with its model and processor; one per test session."""
    folder = Path(tempfile.mkdtemp(prefix=f"vlm-bench-{family}-"))
    torch.manual_seed(0)
    model, processor = FAMILIES[family]()
    # As drawn, the answers of all of them are one token again and again.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def loaded(family: str, precision: str = "fp32") -> VisionLanguageModel:
    """That checkpoint, as the benchmark loads it."""
    return load_model(checkpoint_of(family), name=family, precision=precision)
