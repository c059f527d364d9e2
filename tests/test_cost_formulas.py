"""The formulas behind `plan`, each against what is counted: bytes, operations, visual tokens."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from live_models import deep, deep_checkpoint, pool, sample
from peft.tuners.lora import LoraLayer
from PIL import Image
from transformers import LlavaNextProcessor, LlavaOnevisionProcessor
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from benchmark.core.roles import computed_in
from benchmark.cost import memory
from benchmark.cost.flops import image_flops
from benchmark.cost.parameters import parts_of
from benchmark.cost.pictures import Pictures, seen
from benchmark.models import load_card
from benchmark.planning.checkpoint import described
from benchmark.planning.sizes import ByRule
from benchmark.planning.work import Model
from benchmark.vlm import loading

SHAPE = described(deep_checkpoint()).shape()
PARTS = parts_of("llava", SHAPE)
RANK = 4
SIZES = [(640, 480), (336, 336), (1200, 300), (257, 1023)]


# -- memory -------------------------------------------------------------------------------------


def _saved(model: Any, view: Any) -> int:
    """Bytes that autograd keeps of the language layers, each storage once, without parameters."""
    own = {p.untyped_storage().data_ptr() for p in model.hf.parameters()}
    kept: dict[int, tuple[int, Any]] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        states_AD = model.answer_hidden(view)
    # Products with 8-bit weights keep their inputs past these hooks.
    left, met = [states_AD.grad_fn], set()
    while left:
        node = left.pop()
        if node is not None and node not in met:
            met.add(node)
            left += [one for one, _ in node.next_functions]
            if "8bit" in type(node).__name__:
                pack(node.A)
    return sum(n_bytes for n_bytes, _ in kept.values())


@pytest.mark.parametrize(
    ("precision", "tuning", "dropout"),
    [
        *product(["fp32", "bf16"], ["lora"], [0.0, 0.1]),
        *product(["fp32", "bf16"], ["full"], [0.0]),
        *product(["int8"], ["lora_int8"], [0.0, 0.1]),
    ],
)
def test_what_autograd_keeps_is_as_reckoned(precision, tuning, dropout):
    model = deep(precision)
    model.prepare({"language": tuning}, rank=RANK, alpha=8.0, dropout=dropout)
    model.hf.train()
    samples = [sample(name) for name in ("zerupa", "ditupu", "divumi", "pokara")]
    view = model.view(samples, ["sorry, i can not help with that."] * 4)
    n_sequences, n_tokens = view.input_ids_BT.shape
    batch = memory.Batch(n_sequences=n_sequences, n_tokens=n_tokens, n_predicted=0)
    reckoned = memory.kept_for_backward(
        SHAPE.language, [batch], tuning=tuning, rank=RANK, precision=precision,
        computed=computed_in(precision, "cpu"), mask_bytes=4 if dropout else 0,
    )  # fmt: skip
    # The last norm, and inputs of the first layer that need no gradient, are a part in forty here.
    assert reckoned == pytest.approx(_saved(model, view), rel=0.04)


@pytest.mark.parametrize(
    ("precision", "tuning"),
    [("fp32", "lora"), ("bf16", "lora"), ("fp32", "full"), ("int8", "lora_int8")],
)
def test_what_gradient_checkpointing_keeps_is_as_reckoned(precision, tuning):
    """Before the way back, when no layer is computed anew yet."""
    model = deep(precision)
    model.recomputes = True
    model.prepare({"language": tuning}, rank=RANK, alpha=8.0, dropout=0.0)
    model.hf.train()
    view = model.view([sample("zerupa"), sample("ditupu")], ["sorry, i can not help."] * 2)
    n_sequences, n_tokens = view.input_ids_BT.shape
    batch = memory.Batch(n_sequences=n_sequences, n_tokens=n_tokens, n_predicted=0)
    how = {"tuning": tuning, "rank": RANK, "precision": precision}
    how["computed"] = computed_in(precision, "cpu")
    reckoned = memory.kept_for_backward(SHAPE.language, [batch], recomputed=True, **how)
    one = SHAPE.language.model_copy(update={"layers": 1})
    reckoned -= memory.kept_for_backward(one, [batch], **how)
    # The last norm is no layer's: its states in fp32, one number of each, and normed ones.
    last = 4 * one.hidden + 4 + (4 * one.hidden if tuning == "full" else 0)
    assert reckoned + n_sequences * n_tokens * last == pytest.approx(_saved(model, view), rel=0.04)


@pytest.mark.parametrize(("precision", "tuning"), [("nf4", "qlora"), ("int8", "lora_int8")])
def test_over_rounded_weights_a_gpu_computes_in_bf16(precision, tuning, monkeypatch):
    """Loaded as for a GPU, which is not here: on a CPU it is fp32."""
    assert {computed_in(precision, device) for device in ("cuda", "cuda:1")} == {"bf16"}
    assert computed_in(precision, "cpu") == "fp32"
    monkeypatch.setattr(loading, "computed_in", lambda precision, _: computed_in(precision, "cuda"))
    model = deep(precision)
    seeing = [
        p for role in ("vision", "projector") for _, p in model.roles.parameters(model.hf, role)
    ]
    assert {p.dtype for p in [*seeing, model.roles.head.weight]} == {torch.bfloat16}
    view = model.view([sample("zerupa"), sample("ditupu")], ["sorry, i can not help."] * 2)
    n_sequences, n_tokens = view.input_ids_BT.shape
    with torch.no_grad():
        cached = model.hf(**model.inputs(view), use_cache=True).past_key_values
    held = sum(t.nbytes for layer in cached.layers for t in (layer.keys, layer.values))
    size: dict[str, Any] = {"n_sequences": n_sequences, "n_tokens": n_tokens}
    assert memory.cache_bytes(SHAPE.language, computed="bf16", **size) == held
    model.prepare({"language": tuning}, rank=RANK, alpha=8.0, dropout=0.0)
    model.hf.train()
    reckoned = memory.kept_for_backward(
        SHAPE.language, [memory.Batch(n_predicted=0, **size)],
        tuning=tuning, rank=RANK, precision=precision, computed="bf16",
    )  # fmt: skip
    assert reckoned == pytest.approx(_saved(model, view), rel=0.04)


def test_what_is_trained_is_as_reckoned():
    model = deep()
    model.prepare({"language": "lora"}, rank=RANK, alpha=8.0, dropout=0.0)
    n_adapter = sum(p.numel() for p in model.trainable().values())
    assert memory.adapter_parameters(PARTS.layers, RANK) == n_adapter
    n_maps = sum(isinstance(module, LoraLayer) for module in model.hf.modules())
    assert n_maps == memory.MAPS_WITH_ADAPTERS * SHAPE.language.layers
    own, gradients = memory.trained_bytes(PARTS, tuning="lora", rank=RANK, precision="bf16")
    assert own == gradients == 4 * n_adapter
    full = deep()
    full.prepare({"language": "full"}, rank=RANK, alpha=8.0, dropout=0.0)
    n_language = sum(p.numel() for p in full.trainable().values())
    head, gradients = memory.trained_bytes(PARTS, tuning="full", rank=0, precision="fp32")
    assert (head, gradients) == (4 * full.roles.head.weight.numel(), 4 * n_language)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_take_what_is_reckoned(precision):
    held = sum(p.nbytes for p in deep(precision).hf.parameters())
    assert memory.weight_bytes(PARTS, precision, computed=precision) == held


@pytest.mark.parametrize("precision", ["int8", "nf4"])
def test_a_language_model_in_few_bits_takes_what_is_reckoned(precision):
    model = deep(precision)
    held = 0
    for _, parameter in model.roles.parameters(model.hf, "language"):
        state, scales = getattr(parameter, "quant_state", None), getattr(parameter, "SCB", None)
        held += parameter.nbytes
        held += state.absmax.nbytes + state.state2.absmax.nbytes if state is not None else 0
        held += scales.nbytes if scales is not None else 0
    seeing = PARTS.vision.parameters + PARTS.projector.parameters
    reckoned = memory.weight_bytes(PARTS, precision, computed="fp32") - 4 * seeing
    # Blocks that are not full take as much as full ones.
    assert reckoned == pytest.approx(held, rel=0.002)


def test_memory_by_hand():
    # Two views of 3 and 5 predicted places over 10 words; the second is asked of the reference too.
    views = [
        memory.Batch(n_sequences=1, n_tokens=8, n_predicted=3),
        memory.Batch(n_sequences=1, n_tokens=8, n_predicted=5, with_reference=True),
    ]
    # Kept: (3 x 4 + 5 x 8) x 10; made on the way for the larger one: 5 x (2 + 4) x 10.
    assert memory.logits_bytes(10, views, computed="bf16") == 520 + 300
    # Keys and values: 2 x layers x heads x size x 2 bytes, for 6 x 7 tokens.
    shape = SHAPE.language
    a_token = 2 * shape.layers * shape.kv_heads * shape.head_size * 2
    held = memory.cache_bytes(shape, n_sequences=6, n_tokens=7, computed="bf16")
    assert held == 42 * a_token


# -- operations ---------------------------------------------------------------------------------


def test_a_picture_is_reckoned_once_where_there_is_room_for_it(tmp_path):
    from benchmark.data.images import ImageStore

    store = ImageStore(tmp_path)
    images = [store.put(np.full((8, 8, 3), shade, dtype=np.uint8)) for shade in (0, 200)]
    shown = [sample(f"n{index}", images=(image,)) for index, image in enumerate(images * 2)]
    pictures = Pictures("llava", SHAPE)
    reckoned = Model(sizes=ByRule(pictures, 4.0), pictures=pictures, bytes_a_number=4)
    n_images, flops = reckoned.looking_flops(pool("keep", shown).samples, n_uses=4)
    assert n_images == 2
    assert flops == 2 * image_flops("llava", SHAPE, pictures.seen(images[0]))


# -- pictures -----------------------------------------------------------------------------------


def _anyres(name: str, kind: Any) -> Any:
    vision = load_card(name).shape.vision  # type: ignore[union-attr]
    processor = object.__new__(kind)
    processor.image_processor = SimpleNamespace(image_grid_pinpoints=[list(g) for g in vision.grid])
    processor.patch_size, processor.num_additional_image_tokens = vision.patch_size, 0
    processor.num_image_tokens = vision.tile_tokens
    processor.vision_aspect_ratio = f"anyres_max_{vision.max_tiles}"
    return processor


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_visual_tokens_are_those_of_the_processors(width, height):
    def tokens(name: str) -> int:
        card = load_card(name)
        assert card.shape is not None
        return seen(card.family, card.shape.vision, width=width, height=height).tokens

    for name, kind in (
        ("llava-next-mistral-7b", LlavaNextProcessor),
        ("llava-onevision-7b", LlavaOnevisionProcessor),
    ):
        side = load_card(name).shape.vision.image_size  # type: ignore[union-attr]
        counted = _anyres(name, kind)._get_number_of_features(height, width, side, side)
        assert tokens(name) == counted
    picture = Image.new("RGB", (width, height))
    qwen = Qwen2VLImageProcessorPil(
        size={"shortest_edge": 3136, "longest_edge": 12845056}, patch_size=14, merge_size=2
    )
    (grid,) = qwen(picture, return_tensors="pt")["image_grid_thw"].tolist()
    assert tokens("qwen2-vl-7b") == tokens("qwen2.5-vl-7b") == grid[1] * grid[2] // 4
    tiled = GotOcr2ImageProcessorPil(size={"height": 448, "width": 448}, crop_to_patches=True)
    (n_tiles,) = tiled(picture, return_tensors="pt")["num_patches"]
    assert tokens("internvl3-8b") == 256 * int(n_tiles)


def test_visual_tokens_as_their_papers_say_them():
    """One picture of 640 x 480 pixels."""
    said = {
        "llava-1.5-7b": 576, "paligemma2-3b-mix": 1024, "gemma3-4b": 256,
        # 169 each of 4 x 3 tiles and an overview; 81 each of as many.
        "idefics3-8b": 13 * 169, "smolvlm-2.2b": 13 * 81, "llama-3.2-11b-vision": 1,
    }  # fmt: skip
    for name, tokens in said.items():
        card = load_card(name)
        assert card.shape is not None
        assert seen(card.family, card.shape.vision, width=640, height=480).tokens == tokens, name
