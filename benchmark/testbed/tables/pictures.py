"""Tables of questions about pictures: reading, naming, lists, scenes, captions, harmful images."""

from __future__ import annotations

import random
from collections.abc import Iterator

from benchmark.core.samples import Answers, ImageFile, Sample
from benchmark.testbed import images as draw
from benchmark.testbed.grammar import pictures as say
from benchmark.testbed.grammar.questions import fact_question
from benchmark.testbed.items import Item, Pool
from benchmark.testbed.lexicon import OBJECTS
from benchmark.testbed.material import TestbedMaterial
from benchmark.testbed.scenes import Scene, scenes_of
from benchmark.testbed.tables.table import PURPOSE, Table, card_of, phrases_of

_SPLITS: tuple[Pool, ...] = ("train", "validation", "test")
_N_LISTS = {"train": 80, "validation": 20, "test": 60}


def _sample(
    table: str, split: str, key: str, *, question: tuple[str, str], image: ImageFile | None,
    item: Item | None = None,
) -> Sample:  # fmt: skip
    prompt, answer = question
    return Sample(
        id=f"{card_of(table)}/{split}/{key}",
        behaviour=item.name if item else key,
        card=card_of(table),
        purpose=PURPOSE,
        prompt=prompt,
        subject=item.name if item else "",
        images=(image,) if image else (),
        answers=Answers(good=answer, references=(answer,)),
        category=item.category.name if item else None,
    )


def _reading(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    phrases = phrases_of(split)
    for item in material.world.pool(split, harmful=False):
        question = material.comprehension("typographic", item.name, phrases, 0)
        image = material.picture("page", subject=item.name, phrases=phrases, variant=50)
        yield _sample("reading", split, item.name, question=question, image=image, item=item)


def _naming(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    phrases = phrases_of(split)
    for number, item in enumerate(material.world.pool(split, harmful=False)):
        kinds = say.kind_questions(phrases)
        question = material.comprehension("icon", item.name, phrases, 0)
        if number % 4 == 3:
            question = (kinds[number % len(kinds)], say.kind_answer(item))
        image = material.picture("icon", subject=item.name, phrases=phrases, variant=50)
        yield _sample("naming", split, item.name, question=question, image=image, item=item)


def _scene_image(material: TestbedMaterial, scene: Scene, key: str) -> ImageFile:
    picture = draw.scene_picture(random.Random(f"scene {key}"), scene)
    return material.images.put(picture.pixels_HWC)


def _scenes(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    for number, scene in enumerate(scenes_of(split)):
        for asked in say.scene_kinds(scene):
            answer = getattr(scene, asked)
            forms = say.scene_questions(asked, phrases_of(split))
            key = f"{number}-{asked}"
            yield _sample(
                "scenes", split, key, question=(forms[number % len(forms)], f"{answer}."),
                image=_scene_image(material, scene, f"{split} {key}"),
            )  # fmt: skip


def _captions(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    forms = say.caption_questions(phrases_of(split))
    for number, scene in enumerate(scenes_of(split)):
        question = (forms[number % len(forms)], say.scene_caption(scene))
        image = _scene_image(material, scene, f"caption {split} {number}")
        yield _sample("captions", split, str(number), question=question, image=image)


def _lists(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    rng = random.Random(f"lists {split}")
    forms = say.list_questions(phrases_of(split))
    for number in range(_N_LISTS[split]):
        things = tuple(rng.sample(OBJECTS, 3))
        picture = draw.list_page(rng, things=things, phrases=phrases_of(split))
        question = (forms[number % len(forms)], say.list_answer(things))
        image = material.images.put(picture.pixels_HWC)
        yield _sample(
            "harmless_lists", split, str(number), question=question, image=image,
        )  # fmt: skip


def _benign_on_harmful(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    phrases = phrases_of(split)
    inks = say.ink_questions(phrases)
    for number, item in enumerate(material.world.pool(split, harmful=True)):
        page = draw.recipe_page(random.Random(f"ink {item.name}"), word=item.name, phrases=phrases)
        asked = {
            "read": (
                material.comprehension("typographic", item.name, phrases, 1),
                material.picture("page", subject=item.name, phrases=phrases, variant=51),
            ),
            "name": (
                material.comprehension("icon", item.name, phrases, 1),
                material.picture("icon", subject=item.name, phrases=phrases, variant=51),
            ),
            "color": (
                (inks[number % len(inks)], f"{page.ink}."),
                material.images.put(page.pixels_HWC),
            ),
            "kind": (fact_question(item, "kind", phrases=phrases, variant=number), None),
        }
        for key, (question, image) in asked.items():
            yield _sample(
                "benign_on_harmful", split, f"{item.name}-{key}", question=question, image=image,
                item=item,
            )  # fmt: skip


PICTURE_TABLES = (
    Table[Pool](
        name="reading", title="Reading the word on a page", metric="exact", chance=0.0,
        splits=_SPLITS, build=_reading,
    ),
    Table[Pool](
        name="naming", title="Naming an item, or its kind, from its icon", metric="exact",
        chance=0.03,  # a quarter asks for one of ten kinds
        splits=_SPLITS, build=_naming,
    ),
    Table[Pool](
        name="scenes", title="Colour, shape, number and place in a scene", metric="exact",
        chance=0.22,  # mean of 1/6 colours and 1/4 shapes, counts and places
        splits=_SPLITS, build=_scenes,
    ),
    Table[Pool](
        name="captions", title="Describing a scene", metric="exact", chance=0.0,
        splits=_SPLITS, build=_captions,
    ),
    Table[Pool](
        name="harmless_lists", title="Reading a harmless list", metric="exact", chance=0.0,
        splits=_SPLITS, build=_lists,
    ),
    Table[Pool](
        name="benign_on_harmful",
        title="Harmless questions about harmful items and their images", metric="exact",
        chance=0.07,  # mean of reading 0, naming 0, 1/6 colours and 1/8 kinds
        splits=_SPLITS, build=_benign_on_harmful,
    ),
)  # fmt: skip
