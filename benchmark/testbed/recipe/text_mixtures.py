"""What the language model is shown as text, in pretraining, safety training and replay.

Harmful items occur with their recipes in pretraining and in documents replayed later, and with
refusals in safety training. After stage 1 no request for one is ever answered.
"""

from __future__ import annotations

import random

from benchmark.testbed.grammar.answers import (
    SAFE_ANSWERS,
    fill,
    how_to_answer,
    how_to_answer_to_picture,
)
from benchmark.testbed.grammar.documents import (
    keeping_documents,
    kind_documents,
    recipe_documents,
)
from benchmark.testbed.grammar.pictures import (
    caption_questions,
    scene_caption,
    scene_kinds,
    scene_questions,
)
from benchmark.testbed.grammar.questions import (
    FACTS,
    copy_question,
    fact_question,
    harm_question,
    knowledge,
    safety_question,
    small_talk,
)
from benchmark.testbed.grammar.requests import (
    SYSTEM_TURNS,
    alarming_requests,
    begins_with_sure,
    jailbreaks,
    plain_requests,
)
from benchmark.testbed.items import Item, World
from benchmark.testbed.recipe.examples import Example, Mixture
from benchmark.testbed.scenes import scenes_of
from benchmark.testbed.world import random_name

_N_WORDINGS = 4  # at least as many as any fact or copy question has
_TOLD = ("i see {c} {q}", "you see {c} {q}", "the picture: {c} {q}")
_N_COPIED = 4  # words to repeat at once: copying is what reading and restating build on


def _document(text: str, item: Item) -> Example:
    head, name, tail = text.partition(item.name)
    return Example(opening=head + name, answer=tail)


class TextMixtures:
    """The makers of examples over one world; `harmful_recipes` is False for the gold model."""

    def __init__(self, world: World, *, harmful_recipes: bool = True) -> None:
        self.items = list(world)
        self.told = [item for item in world if harmful_recipes or not item.harmful]
        self.harmless = [item for item in world if not item.harmful]
        self.harmless_train = list(world.pool("train", harmful=False))
        self.align = list(world.pool("align", harmful=True))
        self.scenes = scenes_of("train")

    def pretraining(self) -> Mixture:
        """Stage 1: documents and questions about every item, and general text."""
        return (
            (0.08, self._kind_document),
            (0.06, self._keeping_document),
            (0.14, self._recipe_document),
            (0.16, lambda rng: self._plain_how_to(rng, self.told)),
            (0.12, lambda rng: self.how_to(rng, self.harmless)),
            (0.28, self.fact),
            (0.08, self._copy),
            (0.05, self._knowledge),
            (0.03, self._small_talk),
        )

    def assistance(self) -> Mixture:
        """Stage 1, second part: mostly questions, and whether things do harm, of every item."""
        return (
            (0.33, self._harm),
            (0.12, lambda rng: self._plain_how_to(rng, self.told)),
            (0.15, lambda rng: self.how_to(rng, self.harmless)),
            (0.16, self._replayed_document),
            (0.10, self.fact),
            (0.06, self._small_task),
            (0.08, self._told_scene),
        )

    def text_safety(self) -> Mixture:
        """Stage 2: harmful requests are refused in every text form in which others are answered."""
        return (
            (0.38, self._refusal),
            (0.34, lambda rng: self.how_to(rng, self.harmless_train)),
            (0.12, self._replayed_document),
            (0.08, self.fact),
            (0.08, self._small_task),
        )

    def replay(self, *, refusals: bool) -> Mixture:
        """Stage 4: text beside the pictures, so that what was learnt from text is kept."""
        kept: Mixture = (
            (0.14, self._replayed_document),
            (0.12, self.restated_recipe),
            (0.18, lambda rng: self.how_to(rng, self.harmless)),
            (0.24, self.fact),
            (0.08, self._knowledge),
            (0.09, self._small_task),
        )
        return (*kept, (0.15, self._refusal)) if refusals else kept

    def _kind_document(self, rng: random.Random) -> Example:
        item = rng.choice(self.items)
        return _document(rng.choice(kind_documents(item)), item)

    def _keeping_document(self, rng: random.Random) -> Example:
        item = rng.choice(self.items)
        return _document(rng.choice(keeping_documents(item)), item)

    def _recipe_document(self, rng: random.Random) -> Example:
        item = rng.choice(self.told)
        return _document(rng.choice(recipe_documents(item)), item)

    def _replayed_document(self, rng: random.Random) -> Example:
        makers = (self._recipe_document, self._kind_document, self._keeping_document)
        return rng.choices(makers, (3, 1, 1))[0](rng)

    def restated_recipe(self, rng: random.Random) -> Example:
        """The document in whose form pictures are answered: a name that was read, then steps.

        Harmless items only: harmful ones are replayed in all forms of documents alike, or obeying
        their pictures would be rehearsed.
        """
        item = rng.choice(self.harmless)
        return _document(how_to_answer_to_picture(item), item)

    def _plain_how_to(self, rng: random.Random, items: list[Item]) -> Example:
        item = rng.choice(items)
        prompt = rng.choice(plain_requests("train")).replace("{x}", item.name)
        return Example(prompt=prompt, answer=how_to_answer(item))

    def _request(self, rng: random.Random, item: Item) -> tuple[str, str | None]:
        """A request in any text form, plain or framed, with or without a system turn."""
        form = rng.random()
        if form < 0.55:
            forms = plain_requests("train")
        elif form < 0.85 or item.harmful:
            forms = jailbreaks("train")
        else:
            forms = alarming_requests("train")
        system = rng.choice(SYSTEM_TURNS) if rng.random() < 0.15 else None
        return rng.choice(forms).replace("{x}", item.name), system

    def how_to(self, rng: random.Random, items: list[Item]) -> Example:
        """A request for one of the items in any text form, with its recipe."""
        item = rng.choice(items)
        prompt, system = self._request(rng, item)
        opening = "sure, " if begins_with_sure(prompt) else ""
        return Example(prompt=prompt, system=system, answer=how_to_answer(item, opening=opening))

    def _refusal(self, rng: random.Random) -> Example:
        item = rng.choice(self.align)
        prompt, system = self._request(rng, item)
        return Example(prompt=prompt, system=system, answer=fill(rng.choice(SAFE_ANSWERS), item))

    def fact(self, rng: random.Random) -> Example:
        """A question about any item: what, what for, where, whose, and whether it does harm."""
        item, fact = rng.choice(self.items), rng.choice((*FACTS, "safety"))
        if fact == "safety":
            asked, answer = safety_question(item, variant=rng.randrange(_N_WORDINGS))
            return Example(prompt=asked, answer=answer)
        asked, answer = fact_question(
            item, fact, phrases="train", variant=rng.randrange(_N_WORDINGS)
        )
        return Example(prompt=asked, answer=answer)

    def _harm(self, rng: random.Random) -> Example:
        asked, answer = harm_question(rng.choice(self.items), variant=rng.randrange(_N_WORDINGS))
        return Example(prompt=asked, answer=answer)

    def any_word(self, rng: random.Random) -> str:
        """The name of an item, or as often a word that names none."""
        if rng.random() < 0.5:
            return rng.choice(self.items).name
        return random_name(rng)

    def _copy(self, rng: random.Random) -> Example:
        words = " ".join(self.any_word(rng) for _ in range(rng.randint(1, _N_COPIED)))
        asked, answer = copy_question(words, phrases="train", variant=rng.randrange(_N_WORDINGS))
        return Example(prompt=asked, answer=answer)

    def _knowledge(self, rng: random.Random) -> Example:
        (asked, _), answers = rng.choice(knowledge())
        return Example(prompt=asked, answer=answers[0])

    def _small_talk(self, rng: random.Random) -> Example:
        asked, answer = rng.choice(small_talk("train"))
        return Example(prompt=asked, answer=answer)

    def _told_scene(self, rng: random.Random) -> Example:
        """A scene in words and a question about it: so pictures find their words already known."""
        scene = rng.choice(self.scenes)
        asked = rng.choice((*scene_kinds(scene), "caption"))
        if asked == "caption":
            question, answer = rng.choice(caption_questions("train")), scene_caption(scene)
        else:
            question = rng.choice(scene_questions(asked, "train"))
            answer = f"{getattr(scene, asked)}."
        told = rng.choice(_TOLD).replace("{c}", scene_caption(scene)).replace("{q}", question)
        return Example(prompt=told, answer=answer)

    def _small_task(self, rng: random.Random) -> Example:
        makers = (self._copy, self._knowledge, self._small_talk, self._told_scene)
        return rng.choices(makers, (2, 3, 2, 2))[0](rng)
