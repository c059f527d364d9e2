"""The shape of a checkpoint, read off the config that transformers makes of its file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from benchmark.core.errors import UserError, nearest
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

SIGLIP = "siglip_vision_model"
_TOWERS: dict[Family, str] = {
    "llava": "clip_vision_model",
    "llava_next": "clip_vision_model",
    "llava_onevision": SIGLIP,
    "gemma3": SIGLIP,
    "paligemma": SIGLIP,
}
"""Which tower is known of families that may have another."""


def shape_of(config: Any, processor: Any = None) -> Shape:
    """The sizes in a config, and what a processor brings pictures to where one is given;
    `UserError` for a model, or a part of one, that is not known."""
    reason = _unknown(config)
    if reason is not None:
        raise UserError(reason)
    return _shape(config, processor)


def shape_if_known(config: Any, processor: Any) -> Shape | None:
    """The same; None for one that is not known, which may be run all the same."""
    return _shape(config, processor) if _unknown(config) is None else None


def _unknown(config: Any) -> str | None:
    """What there is in a config that no shape is known of."""
    if config.model_type not in FAMILIES:
        said = nearest(config.model_type, FAMILIES)
        return f"no shape is known of model_type '{config.model_type}', {said}"
    kind = config.text_config.model_type
    if kind not in _LAYERS:
        said = nearest(kind, _LAYERS)
        return f"no shape is known of a language model of type '{kind}', {said}"
    tower = config.vision_config
    usual = _TOWERS.get(config.model_type, tower.model_type)
    if tower.model_type != usual:
        return f"no shape is known of a vision tower of type '{tower.model_type}': not '{usual}'"
    if usual == SIGLIP and getattr(tower, "vision_use_head", True):
        return "no shape is known of a vision tower with a head of its own (vision_use_head)"
    if not isinstance(getattr(config, "vision_feature_layer", -1), int):
        return "no shape is known of a projector that takes states of several layers"
    return None


def _shape(config: Any, processor: Any) -> Shape:
    family: Family = config.model_type
    tower = _VISION.get(family, _tower)(config)
    brought = _BROUGHT.get(family)
    if processor is not None and brought is not None:
        tower = tower.model_copy(update=brought(processor.image_processor))
    return Shape(language=_language(config), vision=tower)


def _language(config: Any) -> LanguageShape:
    text = config.text_config
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
        # Llama 3.2 leaves it to its language model.
        tied=bool((text if config.model_type == "mllama" else config).tie_word_embeddings),
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
        grid=tuple((high, wide) for high, wide in getattr(config, "image_grid_pinpoints", ())),
        max_tiles=_max_tiles(config),
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


def _max_tiles(config: Any) -> int:
    """Tiles' worth of visual tokens that are kept of a picture (LLaVA-OneVision)."""
    said = re.fullmatch(r"anyres_max_(\d+)", getattr(config, "vision_aspect_ratio", ""))
    return int(said[1]) if said else 1


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
        full_layers=sum(layer < vision.depth for layer in vision.fullatt_block_indexes),
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


def _own_size(pixels: Any) -> dict[str, int]:
    """Within bounds, which the processor calls edges."""
    size = pixels.size
    return {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}


def _longest_edge(pixels: Any) -> dict[str, int]:
    return {"longest_edge": pixels.size["longest_edge"]}


def _most_tiles(pixels: Any) -> dict[str, int]:
    return {"max_tiles": pixels.max_patches}


_BROUGHT: dict[Family, Callable[[Any], dict[str, int]]] = {
    "qwen2_vl": _own_size,
    "qwen2_5_vl": _own_size,
    "qwen3_vl": _own_size,
    "idefics3": _longest_edge,
    "smolvlm": _longest_edge,
    "internvl": _most_tiles,
}
"""What is set in the part of the processor that pictures go through, and not in the config."""
