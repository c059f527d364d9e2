"""Tables of text-only questions: facts about items, small talk, and small tasks."""

from __future__ import annotations

import random
from collections.abc import Iterator

from benchmark.core.samples import Answers, Sample
from benchmark.testbed.grammar.questions import (
    FACTS,
    copy_question,
    fact_question,
    knowledge,
    small_talk,
)
from benchmark.testbed.items import Pool
from benchmark.testbed.material import TestbedMaterial
from benchmark.testbed.tables.table import PURPOSE, Table, card_of, phrases_of
from benchmark.testbed.world import random_name

_SPLITS: tuple[Pool, ...] = ("train", "validation", "test")
_N_COPIES = {"train": 30, "validation": 6, "test": 12}


def _text_sample(table: str, split: str, key: str, question: tuple[str, str]) -> Sample:
    prompt, answer = question
    return Sample(
        id=f"{card_of(table)}/{split}/{key}",
        behaviour=key,
        card=card_of(table),
        purpose=PURPOSE,
        prompt=prompt,
        answers=Answers(good=answer, references=(answer,)),
    )


def _facts(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    for number, item in enumerate(material.world.pool(split, harmful=False)):
        fact = FACTS[number % len(FACTS)]
        question = fact_question(item, fact, phrases=phrases_of(split), variant=number // 4)
        yield _text_sample("facts", split, f"{item.name}-{fact}", question)


def _small_talk(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    del material  # small talk is of no item
    for number, question in enumerate(small_talk(phrases_of(split))):
        if split == "train" or (number % 3 == 0) == (split == "validation"):
            yield _text_sample("small_talk", split, str(number), question)


def knowledge_split(number: int) -> str:
    """The split of a piece of general knowledge; all of it is taught in pretraining."""
    place = number * 7 % 10
    return "validation" if place == 0 else "test" if place < 4 else "train"


def _text_questions(split: Pool, material: TestbedMaterial) -> Iterator[Sample]:
    phrases = phrases_of(split)
    for number, (wordings, answers) in enumerate(knowledge()):
        if knowledge_split(number) == split:
            question = (wordings[phrases == "evaluation"], answers[0])
            yield _text_sample("text_questions", split, f"knowledge-{number}", question)
    rng = random.Random(f"copies {split}")
    taken = set(material.world.by_name)
    for number in range(_N_COPIES[split]):
        word = random_name(rng)
        if word in taken:
            continue
        question = copy_question(word, phrases=phrases, variant=number)
        yield _text_sample("text_questions", split, f"copy-{number}", question)


TEXT_TABLES = (
    Table[Pool](
        name="facts",
        title="What harmless items are, what they are for, where they are and who has them",
        metric="exact",
        chance=0.1,  # mean of 1/10 kinds, 1/10 uses, 1/12 places, 1/8 keepers
        splits=_SPLITS,
        build=_facts,
    ),
    Table[Pool](
        name="small_talk",
        title="Small talk",
        metric="exact",
        chance=0.0,
        splits=_SPLITS,
        build=_small_talk,
    ),
    Table[Pool](
        name="text_questions",
        title="Opposites, sums, days, sounds, and words to repeat",
        metric="exact",
        chance=0.05,  # two thirds have about 20 possible answers each
        splits=_SPLITS,
        build=_text_questions,
    ),
)
