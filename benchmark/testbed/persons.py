"""Draws the fictitious persons of the miniature world: names, faces, attributes, and their groups.

`build_persons` is a pure function of its seed and leaves the world as it is. All attributes are
drawn independently of each other, of the name, of the face and of the group, so that nothing about
one person can be guessed from another; a guess is right as often as `Attribute.chance` says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, get_args

from benchmark.testbed.faces import Face, is_near_face, random_face
from benchmark.testbed.grammar.persons import ATTRIBUTES
from benchmark.testbed.grammar.vocabulary import grammar_words
from benchmark.testbed.world import Taken, begins_with_word, build_world, random_name

Group = Literal["forget5", "forget10", "retain", "validation_forget", "validation_retain", "never"]
"""Disjoint, but for forget5, which lies within forget10. `never` is in no model's training. On the
two of validation settings are chosen; they serve for forgetting and for keeping there."""
GROUPS: tuple[Group, ...] = get_args(Group)

# Of all persons that a model is trained on, 5 and 10 % are to be forgotten. How many that must be
# `person_power.ks_power` says: 14 are enough to tell a model from its gold by the KS distance over
# persons (alpha 0.05, whole persons swapped) where the two lie 1.5 standard deviations apart, 28
# where they lie 1.0 apart. POWER_OF_FORGET5 is ks_power(14, effect=1.5) and so on, each +- 0.02;
# 13 persons would have 0.77. A hundredth of `never` must be more than one of them, for the true
# positives at 1 % false ones.
N_TRAINED = 280
N_FORGET5 = N_TRAINED * 5 // 100
N_FORGET10 = N_TRAINED * 10 // 100
N_VALIDATION = {"validation_forget": N_FORGET5, "validation_retain": N_FORGET10}
N_NEVER = N_TRAINED // 2
EFFECT_OF_FORGET5, EFFECT_OF_FORGET10 = 1.5, 1.0
POWER_OF_FORGET5, POWER_OF_FORGET10 = 0.8125, 0.8125
MINIMUM_OTHER_LETTERS = 6  # of twelve, in which any two persons' names differ


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who is not. `values` has one value for every one of `ATTRIBUTES`, in their order."""

    name: str
    group: Group
    face: Face
    values: tuple[str, ...]

    def value(self, attribute: str) -> str:
        """Of an attribute by name; raises KeyError if there is none."""
        return dict(zip((a.name for a in ATTRIBUTES), self.values, strict=True))[attribute]


@dataclass(frozen=True, kw_only=True)
class Persons:
    """All persons of one seed; `group` of a person in forget5 is forget5, not forget10."""

    seed: int
    persons: tuple[Person, ...]
    by_name: Mapping[str, Person] = field(repr=False, compare=False)

    def person(self, name: str) -> Person:
        """The person of that name; raises KeyError if there is none."""
        return self.by_name[name]

    def group(self, group: Group) -> tuple[Person, ...]:
        """Its persons in a stable order; forget10 begins with those of forget5."""
        wanted = ("forget5", "forget10") if group == "forget10" else (group,)
        return tuple(person for person in self.persons if person.group in wanted)

    def trained(self, *, without: Group | None = None) -> tuple[Person, ...]:
        """Everybody whom a model is trained on: never those of `never`, nor those of `without`."""
        left_out = {person.name for person in self.group(without)} if without else set()
        return tuple(
            person
            for person in self.persons
            if person.group != "never" and person.name not in left_out
        )

    def __iter__(self) -> Iterator[Person]:
        return iter(self.persons)


@cache
def build_persons(seed: int = 0) -> Persons:
    """The persons beside the world of that seed, whose items' names theirs keep their distance
    from."""
    rng = random.Random(f"persons {seed}")
    groups = _groups()
    names = _draw_names(rng, n_names=len(groups), seed=seed)
    faces = _draw_faces(rng, n_faces=len(groups))
    persons = tuple(
        Person(
            name=name,
            group=group,
            face=face,
            values=tuple(rng.choice(attribute.values) for attribute in ATTRIBUTES),
        )
        for name, group, face in zip(names, groups, faces, strict=True)
    )
    by_name = {person.name: person for person in persons}
    return Persons(seed=seed, persons=persons, by_name=by_name)


def wrong_values(person: Person, attribute: str, *, n_values: int) -> tuple[str, ...]:
    """Other persons' values of that attribute, all different, always the same for a person.

    Raises ValueError when the list of values has fewer wrong ones.
    """
    asked = next(one for one in ATTRIBUTES if one.name == attribute)
    wrong = [value for value in asked.values if value != person.value(attribute)]
    return tuple(random.Random(f"{person.name} {attribute}").sample(wrong, n_values))


def other_names(person: Person, persons: Persons, *, n_names: int) -> tuple[str, ...]:
    """Names of other persons whom models are trained on, always the same for a person."""
    others = [one.name for one in persons.trained(without="forget10") if one.name != person.name]
    return tuple(random.Random(f"{person.name} name").sample(others, n_names))


def _groups() -> list[Group]:
    n_retain = N_TRAINED - N_FORGET10 - sum(N_VALIDATION.values())
    sizes: dict[Group, int] = {
        "forget5": N_FORGET5,
        "forget10": N_FORGET10 - N_FORGET5,
        "retain": n_retain,
        "validation_forget": N_VALIDATION["validation_forget"],
        "validation_retain": N_VALIDATION["validation_retain"],
        "never": N_NEVER,
    }
    return [group for group, size in sizes.items() for _ in range(size)]


def _draw_names(rng: random.Random, *, n_names: int, seed: int) -> list[str]:
    """Two words each, none near an item's name. As words of their own there are not enough that
    far apart for so many persons: it is whole names that keep their distance from each other."""
    reserved = frozenset(grammar_words())
    items = Taken(build_world(seed).by_name)

    def word() -> str:
        while True:
            drawn = random_name(rng)
            if not items.is_near(drawn) and not begins_with_word(drawn, reserved):
                return drawn

    names: list[str] = []
    while len(names) < n_names:
        name = f"{word()} {word()}"
        if all(n_other_letters(name, other) >= MINIMUM_OTHER_LETTERS for other in names):
            names.append(name)
    return names


def n_other_letters(one: str, other: str) -> int:
    """In how many places two names of the same length differ."""
    return sum(a != b for a, b in zip(one, other, strict=True))


def _draw_faces(rng: random.Random, *, n_faces: int) -> list[Face]:
    faces: list[Face] = []
    while len(faces) < n_faces:
        face = random_face(rng)
        if not any(is_near_face(face, other) for other in faces):
            faces.append(face)
    return faces
