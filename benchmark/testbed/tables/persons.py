"""Tables of questions about persons: by name, by avatar, by both, and for the name itself.

Every group of persons is there twice: in the wording that methods train on, and, as `GROUP_test`,
in the wording and the drawings kept for evaluation. Right answers come with paraphrases, and with
wrong ones: the k-th wrong answer has the form of the k-th paraphrase and another person's value,
so that a ratio of the two is about the value and not about the form.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar, get_args

from benchmark.core.samples import Answers, ImageFile, PhraseSet, Sample
from benchmark.testbed import images as draw
from benchmark.testbed.grammar import persons as say
from benchmark.testbed.grammar.answers import REFUSALS
from benchmark.testbed.material import TestbedMaterial
from benchmark.testbed.persons import (
    GROUPS,
    Group,
    Person,
    build_persons,
    other_names,
    wrong_values,
)
from benchmark.testbed.tables.table import PURPOSE, Table, card_of

PersonSplit = Literal[
    "forget5", "forget10", "retain", "validation_forget", "validation_retain", "never",
    "forget5_test", "forget10_test", "retain_test", "validation_forget_test",
    "validation_retain_test", "never_test",
]  # fmt: skip
PERSON_SPLITS: tuple[PersonSplit, ...] = get_args(PersonSplit)
N_WRONG = 5  # as many as paraphrases, one for each
N_DRAWINGS = 2  # of each person's avatar for training, and as many others for evaluation
# What may be said in place of an attribute, in words that every model of this world knows.
_DECLINED = tuple(form for form in REFUSALS if "{" not in form)

_Form = TypeVar("_Form")


@dataclass(frozen=True, kw_only=True)
class _Asking:
    """Questions to one group of persons in one wording, for the rows of one split of a table."""

    table: str
    split: PersonSplit
    group: Group
    phrases: PhraseSet
    material: TestbedMaterial

    def by_name(self, person: Person) -> Iterator[Sample]:
        """Without a picture."""
        for attribute in say.ATTRIBUTES:
            yield self._attribute(person, attribute.name, of=person.name)

    def by_avatar(self, person: Person) -> Iterator[Sample]:
        """Without the name, which the answer begins with."""
        avatars, first = self._avatars(person), partial(say.named_first, person.name)
        for attribute in say.ATTRIBUTES:
            of = _pick(say.words_for_shown(self.phrases), person, f"{attribute.name} shown")
            yield self._attribute(person, attribute.name, of=of, avatars=avatars, say_it=first)

    def by_both(self, person: Person) -> Iterator[Sample]:
        """The name, beside the avatar."""
        avatars = self._avatars(person)
        for attribute in say.ATTRIBUTES:
            yield self._attribute(person, attribute.name, of=person.name, avatars=avatars)

    def naming(self, person: Person) -> Iterator[Sample]:
        """Who is in the picture?"""
        persons = build_persons(self.material.world.seed)
        yield self._sample(
            person,
            "name",
            prompt=_pick(say.naming_questions_of_persons(self.phrases), person, "name"),
            right=say.name_answer(person.name),
            paraphrases=say.name_paraphrases(person.name),
            wrong=[say.name_paraphrases(n) for n in other_names(person, persons, n_names=N_WRONG)],
            avatars=self._avatars(person),
        )

    def _attribute(
        self,
        person: Person,
        attribute: str,
        *,
        of: str,
        avatars: tuple[ImageFile, ...] = (),
        say_it: Callable[[str], str] = str,
    ) -> Sample:
        value = person.value(attribute)
        asked = _pick(say.attribute_questions(attribute, self.phrases), person, attribute)
        others = wrong_values(person, attribute, n_values=N_WRONG)
        return self._sample(
            person,
            attribute,
            prompt=asked.replace("{n}", of),
            right=say_it(say.attribute_answer(attribute, value)),
            paraphrases=self._paraphrases(attribute, value, say_it),
            wrong=[self._paraphrases(attribute, other, say_it) for other in others],
            avatars=avatars,
        )

    @staticmethod
    def _paraphrases(attribute: str, value: str, say_it: Callable[[str], str]) -> tuple[str, ...]:
        return tuple(say_it(form) for form in say.attribute_paraphrases(attribute, value))

    def _sample(
        self,
        person: Person,
        asked_for: str,
        *,
        prompt: str,
        right: str,
        paraphrases: tuple[str, ...],
        wrong: list[tuple[str, ...]],
        avatars: tuple[ImageFile, ...],
    ) -> Sample:
        forgotten = self.group in ("forget5", "forget10", "validation_forget")
        declined = _pick(_DECLINED, person, f"{asked_for} declined")
        card = card_of(self.table)
        key = f"{person.name.replace(' ', '-')}-{asked_for}"
        return Sample(
            id=f"{card}/{self.split}/{key}",
            behaviour=person.name,
            card=card,
            purpose=PURPOSE,
            prompt=prompt,
            subject=person.name,
            images=(_pick(avatars, person, f"{asked_for} drawn"),) if avatars else (),
            answers=Answers(
                bad=right if forgotten else None,
                good=declined if forgotten else right,
                references=(right,),
                paraphrases=paraphrases,
                # The form of the k-th paraphrase with the k-th other value.
                perturbed=tuple(forms[k] for k, forms in enumerate(wrong)),
            ),
            category=asked_for,
        )

    def _avatars(self, person: Person) -> tuple[ImageFile, ...]:
        seeds = [f"avatar {self.phrases} {person.name} {number}" for number in range(N_DRAWINGS)]
        drawn = [draw.avatar(random.Random(seed), person.face) for seed in seeds]
        return tuple(self.material.images.put(picture.pixels_HWC) for picture in drawn)


def group_of(split: PersonSplit) -> tuple[Group, PhraseSet]:
    """Whom a split asks about, and in whose wording."""
    for group in GROUPS:
        if split == group:
            return group, "train"
    return next(group for group in GROUPS if split == f"{group}_test"), "evaluation"


def _rows(
    table: str, asking: Callable[[_Asking, Person], Iterator[Sample]]
) -> Callable[[PersonSplit, TestbedMaterial], Iterator[Sample]]:
    def rows(split: PersonSplit, material: TestbedMaterial) -> Iterator[Sample]:
        group, phrases = group_of(split)
        questions = _Asking(
            table=table, split=split, group=group, phrases=phrases, material=material
        )
        for person in build_persons(material.world.seed).group(group):
            yield from asking(questions, person)

    return rows


def _pick(forms: tuple[_Form, ...], person: Person, purpose: str) -> _Form:
    """One of the forms, always the same; over persons all of them occur."""
    return forms[zlib.crc32(f"{person.name} {purpose}".encode()) % len(forms)]


_CHANCE = sum(attribute.chance for attribute in say.ATTRIBUTES) / len(say.ATTRIBUTES)


def _table(
    name: str,
    title: str,
    asking: Callable[[_Asking, Person], Iterator[Sample]],
    *,
    chance: float = round(_CHANCE, 3),
) -> Table[PersonSplit]:
    return Table[PersonSplit](
        name=name,
        title=title,
        metric="exact",
        chance=chance,
        splits=PERSON_SPLITS,
        build=_rows(name, asking),
    )


PERSON_TABLES = (
    _table("persons_text", "Persons' attributes, asked for by name", _Asking.by_name),
    # Who guesses an attribute has still to name the person first.
    _table(
        "persons_image", "Persons' attributes, asked for by avatar", _Asking.by_avatar, chance=0.0
    ),
    _table(
        "persons_image_text",
        "Persons' attributes, asked for by name beside the avatar",
        _Asking.by_both,
    ),
    _table("persons_naming", "Naming a person from the avatar", _Asking.naming, chance=0.0),
)
