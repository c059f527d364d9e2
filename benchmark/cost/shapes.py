"""The shape of a checkpoint on disk, read off the config that transformers makes of its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.core.errors import UserError, nearest
from benchmark.models import ModelCard
from benchmark.models.shape import FAMILIES, Family, LanguageShape, Shape, VisionShape

# Which layers each language model is made of: biases of queries, keys and values; norms by head;
# norms per layer.
_LAYERS: dict[str, tuple[bool, bool, int]] = {
    "llama": (False, False, 2),
    "mistral": (False, False, 2),
    "mllama_text_model": (False, False, 2),
    "qwen2": (True, False, 2),
    "qwen2_vl_text": (True, False, 2),
    "qwen2_5_vl_text": (True, False, 2),
    "qwen3_vl_text": (False, True, 2),
    "gemma2": (False, False, 4),
    "gemma3_text": (False, True, 4),
}


def shape_of_card(card: ModelCard) -> Shape:
    """What its checkpoint's config.json says where that is here, else what the card says.

    Raises `UserError` where neither is known.
    """
    folder = card.found()
    if folder is not None:
        return shape_in(folder)
    if card.shape is None:
        raise UserError(f"model '{card.name}' is not here and its card gives no shape")
    return card.shape


def shape_in(folder: Path) -> Shape:
    """Of the checkpoint in a folder. Raises `UserError` for a config that cannot be read."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    # A damaged file is answered with whatever comes to the library.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{folder / 'config.json'}: {reason}") from error
    return shape_of(config)


def shape_of(config: Any) -> Shape:
    """The sizes in a config; `UserError` for a model or a language model that is not known."""
    family = next((one for one in FAMILIES if one == config.model_type), None)
    if family is None:
        raise UserError(
            f"no shape is known of model_type '{config.model_type}', "
            f"{nearest(config.model_type, FAMILIES)}"
        )
    return Shape(
        language=_language(config),
        vision=_VISION.get(family, _tower)(config),
    )


def _language(config: Any) -> LanguageShape:
    text = config.text_config
    if text.model_type not in _LAYERS:
        raise UserError(
            f"no shape is known of a language model of type '{text.model_type}', "
            f"{nearest(text.model_type, _LAYERS)}"
        )
    bias, head_norms, norms = _LAYERS[text.model_type]
    cross = getattr(text, "cross_attention_layers", None) or ()
    return LanguageShape(
        hidden=text.hidden_size,
        layers=text.num_hidden_layers,
        heads=text.num_attention_heads,
        kv_heads=text.num_key_value_heads,
        head_size=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        feed_forward=text.intermediate_size,
        vocabulary=text.vocab_size,
        attention_bias=bias,
        head_norms=head_norms,
        norms=4 if norms == 4 else 2,
        tied=bool(config.tie_word_embeddings),
        cross_layers=len(cross),
        extra_words=8 if cross else 0,
    )


def _tower(config: Any) -> VisionShape:
    """CLIP, SigLIP and their like."""
    vision = config.vision_config
    return VisionShape(
        width=vision.hidden_size,
        layers=vision.num_hidden_layers,
        heads=vision.num_attention_heads,
        feed_forward=vision.intermediate_size,
        patch_size=_side(vision.patch_size),
        image_size=_side(vision.image_size),
        merge=_merge(config),
    )


def _merge(config: Any) -> int:
    """Patches a side that become one visual token."""
    family: Family = config.model_type
    if family in ("idefics3", "smolvlm"):
        return int(config.scale_factor)
    if family == "internvl":
        return round(1 / config.downsample_ratio)
    if family == "gemma3":
        vision = config.vision_config
        side = round(config.mm_tokens_per_image**0.5)
        return int(_side(vision.image_size) // _side(vision.patch_size) // side)
    return 1


def _qwen2(config: Any) -> VisionShape:
    vision = config.vision_config
    return VisionShape(
        width=vision.embed_dim,
        layers=vision.depth,
        heads=vision.num_heads,
        feed_forward=vision.embed_dim * vision.mlp_ratio,
        patch_size=vision.patch_size,
        merge=vision.spatial_merge_size,
        frames=vision.temporal_patch_size,
    )


def _qwen2_5(config: Any) -> VisionShape:
    vision = config.vision_config
    return VisionShape(
        width=vision.hidden_size,
        layers=vision.depth,
        heads=vision.num_heads,
        feed_forward=vision.intermediate_size,
        patch_size=vision.patch_size,
        merge=vision.spatial_merge_size,
        frames=vision.temporal_patch_size,
        window=vision.window_size // vision.patch_size,
        full_layers=len(vision.fullatt_block_indexes),
    )


def _qwen3(config: Any) -> VisionShape:
    vision = config.vision_config
    return VisionShape(
        width=vision.hidden_size,
        layers=vision.depth,
        heads=vision.num_heads,
        feed_forward=vision.intermediate_size,
        patch_size=vision.patch_size,
        image_size=round(vision.num_position_embeddings**0.5) * vision.patch_size,
        merge=vision.spatial_merge_size,
        frames=vision.temporal_patch_size,
        taps=len(vision.deepstack_visual_indexes),
    )


def _mllama(config: Any) -> VisionShape:
    vision = config.vision_config
    return VisionShape(
        width=vision.hidden_size,
        layers=vision.num_hidden_layers,
        heads=vision.attention_heads,
        feed_forward=vision.intermediate_size,
        patch_size=vision.patch_size,
        image_size=vision.image_size,
        taps=len(vision.intermediate_layers_indices),
        global_layers=vision.num_global_layers,
        aspect_ratios=len(vision.supported_aspect_ratios),
        max_tiles=vision.max_num_tiles,
    )


def _side(size: Any) -> int:
    """Of a square, given as a number or twice."""
    return int(size if isinstance(size, int) else size[0])


_VISION: dict[Family, Callable[[Any], VisionShape]] = {
    "qwen2_vl": _qwen2,
    "qwen2_5_vl": _qwen2_5,
    "qwen3_vl": _qwen3,
    "mllama": _mllama,
}
