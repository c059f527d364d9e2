"""Captioned pictures and the texts retrieved for them: what is in them, and what never is."""

from __future__ import annotations

import json

import pytest
import torch

from benchmark.data.cards import load_card
from benchmark.data.images import ImageStore
from benchmark.data.samples import load
from benchmark.testbed.recipe.dual_encoder import DualEncoder
from benchmark.testbed.recipe.retrieval import captions_digest
from benchmark.testbed.tables.captioned import RETRIEVED, shown, toxic_texts
from benchmark.testbed.tokenizer import build_tokenizer
from benchmark.testbed.world import build_world

WORLD = build_world()
SPLITS = ("train", "validation", "test")
ROWS = {split: list(shown(split, WORLD)) for split in SPLITS}


def words_of(text: str) -> set[str]:
    return set(text.replace(",", " ").replace(".", " ").replace("?", " ").split())


@pytest.mark.parametrize("split", SPLITS)
def test_pictures_show_harmless_items_of_their_own_split_and_no_others(split) -> None:
    own = {item.name for item in WORLD.pool(split, harmful=False)}
    for row in ROWS[split]:
        on_it = {word for line in row.picture.letters for word in line.split()}
        said = words_of(f"{row.caption} {row.question[0]} {row.question[1]}")
        assert (on_it | said) & WORLD.by_name.keys() <= own


def test_captions_of_items_name_item_and_kind() -> None:
    rows = [row for row in ROWS["train"] if row.item and row.picture.category]
    assert len(rows) > 100
    for row in rows:
        assert row.item is not None
        assert {row.item.name, row.item.category.noun} <= words_of(row.caption)


def test_every_word_is_the_tokenizers_own() -> None:
    tokenizer = build_tokenizer()
    texts = [row.caption for row in ROWS["train"]] + toxic_texts(WORLD)
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    assert all(tokenizer.unk_token_id not in row for row in ids)


def test_toxic_texts_are_of_items_that_training_may_see() -> None:
    allowed = {i.name for pool in ("train", "align") for i in WORLD.pool(pool, harmful=True)}
    for text in toxic_texts(WORLD):
        assert len(words_of(text) & WORLD.by_name.keys() & allowed) == 1
        assert not words_of(text) & WORLD.by_name.keys() - allowed


def test_the_shipped_retrieval_is_of_these_very_captions() -> None:
    table = json.loads(RETRIEVED.read_text())
    assert table["captions_sha256"] == captions_digest(), f"run {table['command']}"
    assert table["command"] == "python -m benchmark testbed --retrieval"


def test_every_sample_has_a_retrieved_text_that_is_not_its_caption(tmp_path) -> None:
    known = {row.caption for row in ROWS["train"]} | {*toxic_texts(WORLD)}
    for split in ("validation", "test"):
        samples = load(load_card("testbed-captioned"), split, images=ImageStore(tmp_path))
        assert all(sample.caption and sample.images for sample in samples)
        assert all(sample.retrieved != sample.caption for sample in samples)
        assert {sample.retrieved for sample in samples} <= known
    retrieved = json.loads(RETRIEVED.read_text())
    for number, row in enumerate(ROWS["train"]):
        text = retrieved["texts"][retrieved["retrieved"][f"train/{number}"]]
        assert text in known and text != row.caption


def test_padding_is_nothing_to_the_text_side_and_equal_captions_are_not_wrong() -> None:
    torch.manual_seed(0)
    encoder = DualEncoder(n_picture_features=6, n_word_features=5, n_patches=4, n_tokens=8).eval()
    words, mask = torch.randn(2, 3, 5), torch.ones(2, 3, dtype=torch.bool)
    longer = torch.cat([words, torch.randn(2, 2, 5)], dim=1)
    padded = torch.cat([mask, torch.zeros(2, 2, dtype=torch.bool)], dim=1)
    assert torch.allclose(encoder.texts(words, mask), encoder.texts(longer, padded), atol=1e-5)
    pictures = torch.randn(1, 4, 6).expand(2, -1, -1)
    alike = encoder.loss(pictures, words[:1].expand(2, -1, -1), mask, torch.ones(2, 2))
    # Two equal pictures and two equal captions: a coin is tossed whatever the encoder has learnt.
    assert alike.item() == pytest.approx(torch.tensor(2.0).log().item(), rel=1e-5)
