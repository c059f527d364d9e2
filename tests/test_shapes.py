"""Shapes in model cards, against the architectures that transformers builds of the same sizes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForImageTextToText
from transformers.initialization import no_init_weights

from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.cost.parameters import parts_of
from benchmark.cost.shapes import shape_of
from benchmark.models import ModelCard, load_card
from benchmark.models.shape import FAMILIES, Family, Shape


def readable() -> Iterator[ModelCard]:
    """A card that cannot be read fails a test of its own, and not the collection of them all."""
    for name in NAMES:
        with suppress(UserError):
            yield load_card(name)


NAMES = sorted(registry.entries("model"))
CARDS = [card for card in readable() if card.shape is not None]
TEXT = {
    "llava": "llama", "llava_next": "mistral", "llava_onevision": "qwen2", "internvl": "qwen2",
    "idefics3": "llama", "smolvlm": "llama", "paligemma": "gemma2",
}  # fmt: skip
TOWER = {"llava": "clip_vision_model", "llava_next": "clip_vision_model"}
SIGLIP = ("llava_onevision", "gemma3", "paligemma")
# Read off the pictures' processor, not off the architecture.
OF_PICTURES = {"grid", "min_pixels", "max_pixels", "longest_edge"}


def config_of(family: Family, shape: Shape) -> Any:
    """The family's own config, made of nothing but a card's sizes."""
    language = shape.language
    text: dict[str, Any] = {
        "hidden_size": language.hidden, "num_hidden_layers": language.layers,
        "num_attention_heads": language.heads, "num_key_value_heads": language.kv_heads,
        "head_dim": language.head_size, "intermediate_size": language.feed_forward,
        "vocab_size": language.vocabulary, "pad_token_id": 0,
    }  # fmt: skip
    if family in TEXT:
        text["model_type"] = TEXT[family]
    if family == "mllama":
        del text["head_dim"]
        every = language.layers // language.cross_layers
        text["cross_attention_layers"] = list(range(3, language.layers, every))
    return CONFIG_MAPPING[family](
        text_config=text,
        vision_config=_vision(family, shape),
        tie_word_embeddings=language.tied,
        **_between(family, shape),
    )


def _vision(family: Family, shape: Shape) -> dict[str, Any]:
    vision, hidden = shape.vision, shape.language.hidden
    merging = {
        "depth": vision.layers, "num_heads": vision.heads, "patch_size": vision.patch_size,
        "spatial_merge_size": vision.merge, "temporal_patch_size": vision.frames,
    }  # fmt: skip
    if family == "qwen2_vl":
        ratio = vision.feed_forward // vision.width
        return {**merging, "embed_dim": vision.width, "mlp_ratio": ratio, "hidden_size": hidden}
    if family in ("qwen2_5_vl", "qwen3_vl"):
        sizes = {
            **merging, "hidden_size": vision.width, "intermediate_size": vision.feed_forward,
            "out_hidden_size": hidden,
        }  # fmt: skip
        if family == "qwen3_vl":
            return {**sizes, "num_position_embeddings": vision.patches}
        return {**sizes, "window_size": vision.window * vision.patch_size}
    heads = "attention_heads" if family == "mllama" else "num_attention_heads"
    sizes = {
        "hidden_size": vision.width, "num_hidden_layers": vision.layers, heads: vision.heads,
        "intermediate_size": vision.feed_forward, "patch_size": vision.patch_size,
        "image_size": vision.image_size,
    }  # fmt: skip
    if family == "internvl":
        side = [vision.image_size] * 2
        sizes |= {"image_size": side, "patch_size": [vision.patch_size] * 2, "attention_bias": True}
    if family == "mllama":
        sizes |= {
            "num_global_layers": vision.global_layers, "max_num_tiles": vision.max_tiles,
            "vision_output_dim": (1 + vision.taps) * vision.width,
        }  # fmt: skip
    if family in SIGLIP:
        sizes["vision_use_head"] = False
    return sizes | ({"model_type": TOWER[family]} if family in TOWER else {})


def _between(family: Family, shape: Shape) -> dict[str, Any]:
    vision = shape.vision
    if family in ("idefics3", "smolvlm"):
        return {"scale_factor": vision.merge}
    if family == "internvl":
        return {"downsample_ratio": 1 / vision.merge}
    if family == "gemma3":
        return {"mm_tokens_per_image": vision.tile_tokens}
    return {"projection_dim": shape.language.hidden} if family == "paligemma" else {}


def built(config: Any) -> torch.nn.Module:
    """The architecture, without a single number in memory."""
    with torch.device("meta"), no_init_weights():
        model = AutoModelForImageTextToText.from_config(config)
    model.tie_weights()
    return model


@pytest.mark.parametrize("name", NAMES)
def test_every_card_can_be_read(name: str):
    try:
        load_card(name)
        problem = None
    except UserError as error:
        problem = str(error)
    if problem is not None:
        pytest.fail(problem, pytrace=False)


def test_every_family_has_a_card():
    assert {card.family for card in CARDS} == set(FAMILIES)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_parameters_are_those_of_the_architecture(card: ModelCard):
    assert card.shape is not None
    config = config_of(card.family, card.shape)
    model = built(config)
    parts = parts_of(card.family, card.shape)
    assert parts.parameters == sum(p.numel() for p in model.parameters())
    head = model.get_output_embeddings()
    assert parts.head_weights == head.weight.numel()
    # What is read off that config is what the card says.
    read = shape_of(config)
    assert read.language == card.shape.language
    of_pictures = OF_PICTURES if card.family == "mllama" else {*OF_PICTURES, "max_tiles"}
    mine, theirs = (one.vision.model_dump(exclude=of_pictures) for one in (card.shape, read))
    assert mine == theirs
