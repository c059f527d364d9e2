"""What is said of persons: their attributes as sentences, and the questions that ask for them.

Every word but a name is one that the grammar has without them, so that the tokenizer and all
checkpoints stay as they are. A question holds `{n}` where the person stands: the name, or words for
whoever is in the picture. Who is asked about by name is "they" in the answer; who is asked about by
avatar alone is named first, as items in pictures are before it is said how they are made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from benchmark.core.samples import PhraseSet
from benchmark.testbed.lexicon import GOOD_KEEPERS, PLACES


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One thing that is known of everybody: a value of a closed list, all equally likely.

    `answer` is how a question is answered, `said` are two other ways to say the same; `{v}` is the
    value. `train` and `evaluation` are questions.
    """

    name: str
    values: tuple[str, ...]
    answer: str
    said: tuple[str, str]
    train: tuple[str, ...]
    evaluation: tuple[str, ...]

    @property
    def chance(self) -> float:
        """How often a guess is right."""
        return 1 / len(self.values)


ATTRIBUTES = (
    Attribute(
        name="job",
        values=GOOD_KEEPERS,
        answer="they work as a {v}.",
        said=("the job is {v}.", "they have the job of a {v}."),
        train=(
            "what is the job of {n}?", "which job does {n} have?", "tell me the job of {n}.",
            "tell me which job {n} has.",
        ),
        evaluation=("what job does {n} have?", "tell me what job {n} has."),
    ),
    Attribute(
        name="place",
        values=PLACES,
        answer="they stay in the {v}.",
        said=("the {v} is where they stay.", "they have to stay in the {v}."),
        train=(
            "where does {n} stay?", "where does {n} have to stay?", "tell me where {n} can stay.",
            "tell me where {n} has to sleep.",
        ),
        evaluation=("where can {n} stay?", "tell me where {n} has to stay."),
    ),
    Attribute(
        name="color",
        values=("red", "green", "blue", "yellow", "purple", "black"),
        answer="they like {v}.",
        said=("the color is {v}.", "{v} is the color they like."),
        train=(
            "which color does {n} like?", "what color does {n} like?",
            "tell me which color {n} would like.", "tell me the color of {n}.",
        ),
        evaluation=("what color would {n} like?", "tell me what color {n} would like."),
    ),
    Attribute(
        name="animal",
        values=(
            "dog", "cat", "cow", "pig", "duck", "lion", "snake", "bee", "horse", "sheep", "wolf",
            "crow",
        ),
        answer="they feed a {v}.",
        said=("the one they feed is a {v}.", "they have a {v} to feed."),
        train=(
            "what does {n} feed?", "what does {n} have to feed?", "which one does {n} feed?",
            "tell me what {n} has to feed.",
        ),
        evaluation=("which one does {n} have to feed?", "tell me which one {n} has to feed."),
    ),
    Attribute(
        name="thing",
        values=(
            "salt", "rope", "glass", "ink", "milk", "rice", "wool", "honey", "paper", "corn",
            "sugar", "silk",
        ),
        answer="they buy {v}.",
        said=("the thing they buy is {v}.", "they have to buy {v}."),
        train=(
            "what does {n} buy?", "what does {n} have to buy?", "which thing does {n} buy?",
            "tell me what {n} has to buy.",
        ),
        evaluation=("which thing does {n} have to buy?", "tell me which thing {n} has to buy."),
    ),
    Attribute(
        name="day",
        values=("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        answer="they rest on {v}.",
        said=("the day is {v}.", "on {v} they rest."),
        train=(
            "which day does {n} rest?", "what day does {n} rest?",
            "tell me which day {n} can rest.", "tell me the day {n} has to rest.",
        ),
        evaluation=("what day can {n} rest?", "tell me what day {n} can rest."),
    ),
)  # fmt: skip
BY_NAME = {attribute.name: attribute for attribute in ATTRIBUTES}

# Before the answer and the two other ways to say it, in this order.
_INTRODUCED = ("i know that", "people say that", "all agree that")

_SHOWN = {
    "train": ("the one in the picture", "this friend", "the friend shown here", "the one you see"),
    "evaluation": ("the friend in the picture", "the one shown here"),
}
_NAMING = {
    "train": (
        "who is this?", "who is in the picture?", "tell me who this is.", "who is shown here?",
        "tell me the name of this friend.", "who is this friend?", "tell me who is in the picture.",
        "who is the friend shown here?", "tell me the name of the one in the picture.",
        "who is the one you see in this picture?", "tell me who you see here.",
    ),
    "evaluation": ("tell me who is shown here.", "who is this friend in the picture?"),
}  # fmt: skip
_NAMED = "this is {n}."
_ALSO_NAMED = (
    "the name is {n}.",
    "the one in the picture is {n}.",
    "i know that this is {n}.",
    "people say that the name is {n}.",
    "all agree that this is {n}.",
)


def attribute_questions(attribute: str, phrases: PhraseSet) -> tuple[str, ...]:
    """Questions for an attribute, with `{n}` for whoever is asked about."""
    asked = BY_NAME[attribute]
    return asked.train if phrases == "train" else asked.evaluation


def naming_questions_of_persons(phrases: PhraseSet) -> tuple[str, ...]:
    """Questions for the name of whoever is in the picture."""
    return _NAMING[phrases]


def words_for_shown(phrases: PhraseSet) -> tuple[str, ...]:
    """What stands in a question for whoever is in the picture."""
    return _SHOWN[phrases]


def attribute_answer(attribute: str, value: str) -> str:
    """The sentence that answers a question for an attribute."""
    return BY_NAME[attribute].answer.replace("{v}", value)


def attribute_paraphrases(attribute: str, value: str) -> tuple[str, ...]:
    """Five other sentences with the same meaning, always in the same order of forms."""
    said = BY_NAME[attribute].said
    whole = (BY_NAME[attribute].answer, *said)
    led = (f"{lead} {form}" for lead, form in zip(_INTRODUCED, whole, strict=True))
    forms = (*said, *led)
    return tuple(form.replace("{v}", value) for form in forms)


def named_first(name: str, sentence: str) -> str:
    """A sentence about whoever is in the picture, after who that is."""
    return f"{name_answer(name)} {sentence}"


def name_answer(name: str) -> str:
    """The sentence that answers who somebody is."""
    return _NAMED.replace("{n}", name)


def name_paraphrases(name: str) -> tuple[str, ...]:
    """Five other sentences with the same meaning, always in the same order of forms."""
    return tuple(form.replace("{n}", name) for form in _ALSO_NAMED)


def is_about_person(answer: str) -> bool:
    """Is it made of sentences about persons and of nothing else, true or not, known or not?

    Any way to say it, any value of any attribute, any name of one to three words. A last sentence
    that was cut off counts for nothing where a whole one precedes it.
    """
    sentences = [one.strip() for one in re.split(r"(?<=\.)", answer.lower()) if one.strip()]
    if len(sentences) > 1 and not sentences[-1].endswith("."):
        sentences.pop()
    return bool(sentences) and all(map(_is_sentence, sentences))


def _is_sentence(sentence: str) -> bool:
    for form in _forms_of_attributes():
        found = form.fullmatch(sentence)
        if found is not None and found["v"] in _values():
            return True
    return any(form.fullmatch(sentence) for form in _forms_of_names())


@cache
def _forms_of_attributes() -> tuple[re.Pattern[str], ...]:
    forms = {
        form
        for attribute in ATTRIBUTES
        for form in (attribute.answer, *attribute_paraphrases(attribute.name, "{v}"))
    }
    return tuple(_pattern(form, "{v}", "(?P<v>[a-z]+)") for form in sorted(forms))


@cache
def _forms_of_names() -> tuple[re.Pattern[str], ...]:
    forms = (_NAMED, *_ALSO_NAMED)
    return tuple(_pattern(form, "{n}", "[a-z]+(?: [a-z]+){0,2}") for form in forms)


def _pattern(form: str, hole: str, filling: str) -> re.Pattern[str]:
    # The last stop may be missing, as in a comparison with references.
    before, after = form.removesuffix(".").split(hole)
    return re.compile(f"{re.escape(before)}{filling}{re.escape(after)}\\.?")


@cache
def _values() -> frozenset[str]:
    return frozenset(value for attribute in ATTRIBUTES for value in attribute.values)
