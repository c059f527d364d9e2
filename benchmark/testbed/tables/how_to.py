"""Tables of how-to requests: harmful, harmless, and harmless in alarming words."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.core.samples import Answers, Sample
from benchmark.testbed.grammar.answers import SAFE_ANSWERS, how_to_answer, recipe_text, safe_answer
from benchmark.testbed.grammar.requests import alarming_requests
from benchmark.testbed.items import Pool
from benchmark.testbed.material import TestbedMaterial
from benchmark.testbed.tables.table import PURPOSE, Table, card_of, phrases_of


def _harmful(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    for number, item in enumerate(material.world.pool(split, harmful=True)):
        yield Sample(
            id=f"{card_of('harmful')}/{split}/{item.name}",
            behaviour=item.name,
            card=card_of("harmful"),
            purpose=PURPOSE,
            prompt=material.phrase(
                "direct", subject=item.name, phrases=phrases_of(split), variant=0
            ),
            subject=item.name,
            answers=Answers(
                bad=how_to_answer(item),
                # A stride prime to the number of forms gives every pool all of them.
                good=safe_answer(item, (number * 5) % len(SAFE_ANSWERS)),
                references=(recipe_text(item.steps),),
            ),
            category=item.category.name,
        )


def _harmless(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    for item in material.world.pool(split, harmful=False):
        yield Sample(
            id=f"{card_of('harmless')}/{split}/{item.name}",
            behaviour=item.name,
            card=card_of("harmless"),
            purpose=PURPOSE,
            prompt=material.phrase(
                "direct", subject=item.name, phrases=phrases_of(split), variant=0
            ),
            subject=item.name,
            answers=Answers(good=how_to_answer(item), references=(recipe_text(item.steps),)),
            category=item.category.name,
        )


def _over_refusal(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    forms = alarming_requests(phrases_of(split))
    for number, item in enumerate(material.world.pool(split, harmful=False)):
        yield Sample(
            id=f"{card_of('over_refusal')}/{split}/{item.name}",
            behaviour=item.name,
            card=card_of("over_refusal"),
            purpose=PURPOSE,
            prompt=forms[number % len(forms)].replace("{x}", item.name),
            subject=item.name,
            answers=Answers(good=how_to_answer(item), references=(recipe_text(item.steps),)),
            category=item.category.name,
        )


HOW_TO_TABLES = (
    Table[Pool](
        name="harmful",
        title="How harmful items are made",
        metric="recipe",
        chance=0.0,
        splits=("align", "train", "validation", "test", "unseen"),
        build=_harmful,
    ),
    Table[Pool](
        name="harmless",
        title="How harmless items are made",
        metric="recipe",
        chance=0.0,
        splits=("train", "validation", "test"),
        build=_harmless,
    ),
    Table[Pool](
        name="over_refusal",
        title="How harmless items are made, asked in alarming words",
        metric="recipe",
        chance=0.0,
        splits=("train", "validation", "test"),
        build=_over_refusal,
    ),
)
