"""Pictures, tables and prompts of the miniature world."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmark.core import registry
from benchmark.data.cards import load_card
from benchmark.data.images import ImageStore
from benchmark.data.samples import fingerprint, load
from benchmark.testbed import images
from benchmark.testbed.font import CELL, read_cell
from benchmark.testbed.material import FORMS, IMAGE_ONLY_FORMS, TestbedMaterial
from benchmark.testbed.scenes import all_scenes
from benchmark.testbed.tables import TABLES, rows
from benchmark.testbed.tables.table import card_of
from benchmark.testbed.world import build_world

WORLD = build_world()


def _read_page(pixels_HWC: np.ndarray) -> list[str]:
    background = pixels_HWC[0, 0]  # no glyph covers the corner of a cell
    dots_HW = (pixels_HWC != background).any(axis=-1)
    return [
        "".join(read_cell(dots_HW[y : y + CELL, x : x + CELL]) for x in range(0, 64, CELL))
        for y in range(0, 64, CELL)
    ]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(), item=st.sampled_from(WORLD.items),
       phrases=st.sampled_from(["train", "evaluation"]))  # fmt: skip
def test_pages_read_back(seed, item, phrases):
    picture = images.recipe_page(random.Random(seed), word=item.name, phrases=phrases)
    assert tuple(_read_page(picture.pixels_HWC)) == picture.letters
    assert any(item.name in row for row in picture.letters)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(), item=st.sampled_from(WORLD.items), printed=st.booleans())
def test_icons_say_what_they_show(seed, item, printed):
    picture = images.icon(
        random.Random(seed), name=item.name, category=item.category.name, printed=printed
    )
    assert picture.pixels_HWC.shape == (64, 64, 3)
    assert sum(item.name in row for row in picture.letters) == 1 + printed


def test_pictures_are_a_function_of_their_seed():
    scene = all_scenes()[5]
    one, other, third = (
        images.scene_picture(random.Random(seed), scene).pixels_HWC for seed in (1, 1, 2)
    )
    assert np.array_equal(one, other)
    assert not np.array_equal(one, third)


def test_every_card_of_the_miniature_world_has_its_table():
    cards = {name for name in registry.entries("dataset") if not load_card(name).natural}
    assert cards == set(map(card_of, TABLES))


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_complete_and_stable(table, tmp_path):
    """What the card loads, drawn once more, is the table to its last row."""
    store, card = ImageStore(tmp_path), load_card(card_of(table))
    assert set(card.splits) == set(TABLES[table].splits)
    for split in card.splits:
        samples = load(card, split, images=store)
        made = rows(table, split, world=WORLD, images=store)
        assert samples == [s if s.subject else replace(s, behaviour=s.id) for s in made]
        assert len({sample.id for sample in samples}) == len(samples) == card.split(split).expected
        assert all(sample.id.startswith(f"{card.name}/{split}/") for sample in samples)
        assert all(sample.answers.references and sample.prompt for sample in samples)
        assert all(image.path.is_file() for sample in samples for image in sample.images)
        for sample in samples[:3]:
            for image in sample.images:
                assert Image.open(image.path).size == (64, 64)


@pytest.mark.parametrize("table", ["scenes", "harmless_lists", "persons_image"])
def test_of_the_first_rows_no_other_pictures_are_drawn(table, tmp_path):
    card = load_card(card_of(table))
    for split in ("train", "test") if "train" in card.splits else ("forget10",):
        whole = load(card, split, images=ImageStore(tmp_path / "whole"))
        first = load(card, split, images=ImageStore(tmp_path / "first"), limit=3)
        assert fingerprint(first) == fingerprint(whole[:3])
        drawn = len(list((tmp_path / "first").rglob("*.png")))
        assert drawn < len(list((tmp_path / "whole").rglob("*.png"))) / 4
        more = load(card, split, images=ImageStore(tmp_path / "whole"), limit=len(whole) + 1)
        assert more == whole


def test_splits_share_no_behaviour_where_items_are_asked_for(tmp_path):
    for table in ("harmful", "harmless", "facts", "reading", "naming"):
        seen: set[str] = set()
        for split in TABLES[table].splits:
            behaviours = {s.behaviour for s in rows(
                table, split, world=WORLD, images=ImageStore(tmp_path))}  # fmt: skip
            assert not behaviours & seen
            seen |= behaviours


@pytest.mark.parametrize("form", FORMS)
def test_forms_name_the_item_in_text_or_in_the_picture(form, tmp_path):
    material = TestbedMaterial(WORLD, ImageStore(tmp_path))
    subject = WORLD.items[0].name
    for phrases in ("train", "evaluation"):
        n_phrases = material.n_phrases(form, phrases)
        prompts = {
            material.phrase(form, subject=subject, phrases=phrases, variant=variant)
            for variant in range(n_phrases)
        }
        assert len(prompts) == n_phrases
        assert all((subject in prompt) == (form not in IMAGE_ONLY_FORMS) for prompt in prompts)
    asked, answer = material.comprehension(form, subject, "evaluation", 0)
    assert asked and answer


def test_training_and_evaluation_pictures_differ(tmp_path):
    material = TestbedMaterial(WORLD, ImageStore(tmp_path))
    for kind in ("page", "icon", "icon_word", "blank", "noise", "scene"):
        pictures = {
            material.picture(kind, subject=WORLD.items[0].name, phrases=phrases, variant=0)
            for phrases in ("train", "evaluation")
        }
        assert len(pictures) == 2
