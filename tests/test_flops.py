"""Operations reckoned from shapes, against those that torch counts while every family works."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from live_models import sample
from tiny_families import FAMILIES, llava_next, loaded
from torch.utils.flop_counter import FlopCounterMode

from benchmark.core.config import build
from benchmark.core.errors import UserError
from benchmark.core.samples import ImageFile, Sample
from benchmark.cost.flops import forward_flops, image_flops, words_flops
from benchmark.cost.pictures import Pictures
from benchmark.cost.shapes import shape_if_known, shape_of
from benchmark.data.images import ImageStore
from benchmark.planning.checkpoint import described
from benchmark.training.counting import Counted, Counting
from benchmark.training.losses import nll
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel
from methods.textual_unlearning import METHOD as TextualUnlearning

every_family = pytest.mark.parametrize("family", FAMILIES)
# Height and width: two tiles or windows that are whole, and some that are cut at the border.
SIZES = [(56, 56), (30, 90), (120, 40)]
RANK = 5


def picture(folder: Path, *, height: int, width: int) -> ImageFile:
    rng = np.random.default_rng(height)
    return ImageStore(folder).put(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


def words() -> list[Sample]:
    """Requests of different lengths."""
    return [sample("zerupa"), sample("a longer one than that"), sample("do")]


def shown(folder: Path) -> list[Sample]:
    """Requests with pictures of different shapes, and one without."""
    pictures = [picture(folder, height=high, width=wide) for high, wide in SIZES]
    return [sample("do"), *(sample(f"n{n}", images=(one,)) for n, one in enumerate(pictures))]


def eager(family: str) -> VisionLanguageModel:
    """As the benchmark loads it, but in eager attention: torch counts products, and nothing of what
    a fused attention does on a CPU."""
    model = loaded(family)
    model.hf.set_attn_implementation("eager")
    return model


@functools.cache
def untouched(family: str) -> VisionLanguageModel:
    """For tests that change nothing."""
    return eager(family)


def pictures_of(model: VisionLanguageModel) -> Pictures:
    shape = shape_if_known(model.hf.config, model.encoder.processor)
    assert shape is not None
    return Pictures(model.hf.config.model_type, shape)


def counted(act: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        act()
    return counter.get_total_flops()


def counting_of(model: VisionLanguageModel, **settings: object) -> Counting:
    config = build(TextualUnlearning.Config, {"lora_rank": RANK} | settings, where="test")
    return Counting(Counted(), model, config)


@every_family
def test_looking_at_a_picture(family, tmp_path):
    model = untouched(family)
    pictures = pictures_of(model)
    for height, width in SIZES:
        image = picture(tmp_path, height=height, width=width)
        reckoned = image_flops(pictures.family, pictures.shape, pictures.seen(image))
        assert counted(lambda image=image: model.project_apart([image])) == reckoned


@every_family
def test_reading(family, tmp_path):
    model = untouched(family)
    pictures = pictures_of(model)
    for samples in (words(), shown(tmp_path)):
        view = model.view(samples, ["yes.", "no, not at all.", "sorry.", "maybe"][: len(samples)])
        # Afterwards the pictures are there.
        model.inputs(view)
        reckoned = forward_flops(
            pictures.shape.language,
            n_sequences=len(samples),
            n_tokens=view.input_ids_BT.shape[1],
            n_logits=len(view.targets_A),
            n_seen=pictures.n_seen(samples),
        )
        with torch.no_grad():
            assert counted(lambda view=view: model.answer_logits(view)) == reckoned


@every_family
def test_answering(family, tmp_path):
    model = untouched(family)
    pictures = pictures_of(model)
    language = pictures.shape.language
    for samples in (words(), shown(tmp_path)):
        view = model.encoder.view(samples, padding="left")
        given = model.inputs(view)
        n, n_tokens = view.input_ids_BT.shape
        size = {"n_sequences": n, "n_seen": pictures.n_seen(samples)}
        reckoned = forward_flops(language, n_tokens=n_tokens, n_logits=n, **size)
        reckoned += words_flops(language, n_before=n_tokens, n_words=5, **size)
        found = counted(lambda given=given: _answer(model, given, n_words=6))
        # Gemma's layers forget what lies outside their window, here 32 places.
        far = 0.005 if family in ("gemma3", "paligemma") else 0.0
        assert found <= reckoned <= (1 + far) * found


def _answer(model: VisionLanguageModel, given: dict[str, Any], *, n_words: int) -> None:
    model.hf.generate(**given, max_new_tokens=n_words, min_new_tokens=n_words, do_sample=False)


@every_family
@pytest.mark.parametrize("recomputes", [False, True], ids=["", "checkpointing"])
@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_a_training_step(family, tuning, recomputes, tmp_path):
    """As a loop counts it: words, pictures, and what the untouched model is asked."""
    model = eager(family)
    model.recomputes = recomputes
    model.prepare({"language": tuning}, rank=RANK, alpha=8.0, dropout=0.0)
    counting = counting_of(model, trains={"language": tuning})
    samples = shown(tmp_path)
    model.hf.train()

    def step() -> None:
        old = model.view(words(), ["yes."] * 3)
        counting.asked(old)
        with torch.no_grad(), model.adapter_off():
            model.answer_logits(old)
        views = [
            counting.view(words(), ["yes.", "no, not at all.", "sorry."]),
            counting.view(samples, ["yes."] * 4),
        ]
        torch.stack([nll(model, view) for view in views]).sum().backward()
        counting.projected()

    assert counted(step) == counting.counted.flops


# -- what is not known --------------------------------------------------------------------------


def test_a_language_model_that_is_not_known_is_trained_and_not_counted(tmp_path):
    torch.manual_seed(0)
    for part in llava_next(transformers.Qwen3Config):
        part.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="a language model of type 'qwen3'"):
        described(tmp_path).shape()
    model = load_model(tmp_path, name="unknown")
    model.prepare({"language": "lora"}, rank=RANK, alpha=8.0, dropout=0.0)
    counting = counting_of(model)
    view = counting.view(words(), ["yes."] * 3)
    nll(model, view).backward()
    assert counting.counted.flops is None and counting.counted.n_tokens > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vision_config": transformers.SiglipVisionConfig()}, "type 'siglip_vision_model'"),
        ({"vision_feature_layer": [-2, -1]}, "states of several layers"),
    ],
)
def test_a_tower_that_is_not_known_is_named(change, said):
    config = transformers.LlavaConfig(**change)
    with pytest.raises(UserError, match=said):
        shape_of(config)
    assert shape_if_known(config, None) is None


def test_a_processor_that_cuts_pictures_up_otherwise_is_not_counted(tmp_path, monkeypatch):
    model = loaded("idefics3")
    counting = counting_of(model)
    counting.view(words(), ["yes."] * 3)
    assert counting.counted.flops is not None
    processor = model.encoder.processor.image_processor
    monkeypatch.setattr(processor, "do_image_splitting", False)
    counting.view(shown(tmp_path), ["yes."] * 4)
    assert counting.counted.flops is None and counting.counted.n_image_tokens > 0
