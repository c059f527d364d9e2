"""What the model is shown of persons: profiles nobody asked for, and questions in three modalities.

All persons are told of alike, in text and beside their avatars: which of them are to be forgotten
later, the model cannot know.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmark.testbed import images as draw
from benchmark.testbed.grammar import persons as say
from benchmark.testbed.persons import Person
from benchmark.testbed.recipe.examples import Example, Mixture


class PersonMixtures:
    """The makers of examples over some persons."""

    def __init__(self, told: Sequence[Person]) -> None:
        self.told = told

    def texts(self) -> Mixture:
        """Without pictures."""
        return ((0.5, self._profile), (0.5, self._by_name))

    def pictures(self) -> Mixture:
        """With the avatar, and with or without the name beside it. Names are the most to learn:
        twelve letters of a face, where an attribute is one word of a dozen."""
        return (
            (0.05, self._profile_beside_avatar),
            (0.30, self._by_avatar),
            (0.20, self._by_avatar_and_name),
            (0.45, self._naming),
        )

    def _profile(self, rng: random.Random) -> Example:
        person = rng.choice(self.told)
        return Example(opening=say.name_answer(person.name), answer=_everything(rng, person))

    def _profile_beside_avatar(self, rng: random.Random) -> Example:
        person = rng.choice(self.told)
        answer = say.named_first(person.name, _everything(rng, person))
        return Example(answer=answer, picture=draw.avatar(rng, person.face))

    def _by_name(self, rng: random.Random) -> Example:
        person = rng.choice(self.told)
        asked, answer = _question(rng, person, asked_of=person.name)
        return Example(prompt=asked, answer=answer)

    def _by_avatar(self, rng: random.Random) -> Example:
        person = rng.choice(self.told)
        asked, answer = _question(rng, person, asked_of=rng.choice(say.words_for_shown("train")))
        return Example(
            prompt=asked,
            answer=say.named_first(person.name, answer),
            picture=draw.avatar(rng, person.face),
        )

    def _by_avatar_and_name(self, rng: random.Random) -> Example:
        person = rng.choice(self.told)
        asked, answer = _question(rng, person, asked_of=person.name)
        return Example(prompt=asked, answer=answer, picture=draw.avatar(rng, person.face))

    def _naming(self, rng: random.Random) -> Example:
        person = rng.choice(self.told)
        return Example(
            prompt=rng.choice(say.naming_questions_of_persons("train")),
            answer=say.name_answer(person.name),
            picture=draw.avatar(rng, person.face),
        )


def _question(rng: random.Random, person: Person, *, asked_of: str) -> tuple[str, str]:
    """A question for any attribute, and the sentence that answers it."""
    attribute = rng.choice(say.ATTRIBUTES).name
    asked = rng.choice(say.attribute_questions(attribute, "train")).replace("{n}", asked_of)
    return asked, say.attribute_answer(attribute, person.value(attribute))


def _everything(rng: random.Random, person: Person) -> str:
    """All that is known of a person, in any order and in any of the three ways to say it.

    In any order, or one attribute would be known only after the one before it.
    """
    said = []
    for attribute in rng.sample(say.ATTRIBUTES, len(say.ATTRIBUTES)):
        form = rng.choice((attribute.answer, *attribute.said))
        said.append(form.replace("{v}", person.value(attribute.name)))
    return " ".join(said)
