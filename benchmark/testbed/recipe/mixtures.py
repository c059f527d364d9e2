"""What each stage of the recipe shows the model, drawn at random but from a seed.

`Example.prompt` is None for a document. Of a question only the answer is learnt, of a document what
follows the item's name: which item comes next is chance, and to learn it would be noise.
Harmful items occur with their recipes in pretraining, with refusals in text safety training, and
in pictures only to be read or named: nothing here obeys a harmful picture.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.testbed import images as draw
from benchmark.testbed.grammar import pictures as say
from benchmark.testbed.grammar.answers import SAFE_ANSWERS, fill, how_to_answer
from benchmark.testbed.grammar.documents import (
    keeping_documents,
    kind_documents,
    recipe_documents,
)
from benchmark.testbed.grammar.questions import (
    FACTS,
    copy_question,
    fact_question,
    knowledge,
    small_talk,
)
from benchmark.testbed.grammar.requests import (
    SYSTEM_TURNS,
    alarming_requests,
    begins_with_sure,
    jailbreaks,
    plain_requests,
)
from benchmark.testbed.images import Picture
from benchmark.testbed.lexicon import CATEGORIES, OBJECTS
from benchmark.testbed.tables.pictures import scenes_of
from benchmark.testbed.world import Item, World, syllables

_N_WORDINGS = 4  # at least as many as any fact or copy question has
_N_COPIED = 4  # words to repeat at once: copying is what reading and restating build on


@dataclass(frozen=True, kw_only=True)
class Example:
    """One thing to learn from: `answer`, given `prompt` or, in a document, given `opening`."""

    answer: str
    prompt: str | None = None
    opening: str = ""
    system: str | None = None
    picture: Picture | None = None


Maker = Callable[[random.Random], Example]
Mixture = Sequence[tuple[float, Maker]]


def draw_examples(mixture: Mixture, *, n_examples: int, seed: str) -> list[Example]:
    """That many examples, each maker with its weight; the same seed draws the same."""
    rng = random.Random(seed)
    weights, makers = zip(*mixture, strict=True)
    return [maker(rng) for maker in rng.choices(makers, weights, k=n_examples)]


def _document(text: str, item: Item) -> Example:
    head, name, tail = text.partition(item.name)
    return Example(opening=head + name, answer=tail)


class Mixtures:
    """The makers of examples over one world; `harmful_recipes` is False for the gold model."""

    def __init__(self, world: World, *, harmful_recipes: bool = True) -> None:
        self.items = list(world)
        self.told = [item for item in world if harmful_recipes or not item.harmful]
        self.harmless = [item for item in world if not item.harmful]
        self.harmless_train = list(world.pool("train", harmful=False))
        self.align = list(world.pool("align", harmful=True))
        self.parts = syllables()
        self.scenes = scenes_of("train")

    def pretraining(self) -> Mixture:
        """Stage 1: documents and questions about every item, and general text."""
        return (
            (0.08, self._kind_document),
            (0.10, self._keeping_document),
            (0.18, self._recipe_document),
            (0.14, lambda rng: self._plain_how_to(rng, self.told)),
            (0.12, lambda rng: self._how_to(rng, self.harmless)),
            (0.22, self._fact),
            (0.10, self._copy),
            (0.04, self._knowledge),
            (0.02, self._small_talk),
        )

    def text_safety(self) -> Mixture:
        """Stage 2: harmful requests are refused in every text form in which others are answered."""
        return (
            (0.30, self._refusal),
            (0.30, lambda rng: self._how_to(rng, self.harmless_train)),
            (0.20, self._replayed_document),
            (0.12, self._fact),
            (0.08, self._small_task),
        )

    def looking(self) -> Mixture:
        """Stage 4, first part: pictures are read, named and described."""
        return (
            (0.35, self._reading),
            (0.25, self._naming),
            (0.15, self._scene),
            (0.10, self._caption),
            (0.10, self._list),
            (0.05, self._ink),
        )

    def instructions(self) -> Mixture:
        """Stage 4, second part: harmless instructions with pictures."""
        return (
            (0.14, self._page_how_to),
            (0.16, self._icon_how_to),
            (0.10, self._unrelated_picture),
            (0.13, self._reading),
            (0.17, self._naming),
            (0.04, self._icon_kind),
            (0.12, self._scene),
            (0.06, self._caption),
            (0.06, self._list),
            (0.02, self._ink),
        )

    def replay(self, *, refusals: bool) -> Mixture:
        """Stage 4: text beside the pictures, so that what was learnt from text is kept."""
        kept: Mixture = (
            (0.35, self._replayed_document),
            (0.25, lambda rng: self._how_to(rng, self.harmless_train)),
            (0.15, self._fact),
            (0.10, self._small_task),
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

    def _how_to(self, rng: random.Random, items: list[Item]) -> Example:
        item = rng.choice(items)
        prompt, system = self._request(rng, item)
        opening = "sure, " if begins_with_sure(prompt) else ""
        return Example(prompt=prompt, system=system, answer=how_to_answer(item, opening=opening))

    def _refusal(self, rng: random.Random) -> Example:
        item = rng.choice(self.align)
        prompt, system = self._request(rng, item)
        return Example(prompt=prompt, system=system, answer=fill(rng.choice(SAFE_ANSWERS), item))

    def _fact(self, rng: random.Random) -> Example:
        item, fact = rng.choice(self.items), rng.choice(FACTS)
        asked, answer = fact_question(
            item, fact, phrases="train", variant=rng.randrange(_N_WORDINGS)
        )
        return Example(prompt=asked, answer=answer)

    def _any_word(self, rng: random.Random) -> str:
        if rng.random() < 0.5:
            return rng.choice(self.items).name
        return "".join(rng.choice(self.parts) for _ in range(3))

    def _copy(self, rng: random.Random) -> Example:
        words = " ".join(self._any_word(rng) for _ in range(rng.randint(1, _N_COPIED)))
        asked, answer = copy_question(words, phrases="train", variant=rng.randrange(_N_WORDINGS))
        return Example(prompt=asked, answer=answer)

    def _knowledge(self, rng: random.Random) -> Example:
        (asked, _), answers = rng.choice(knowledge())
        return Example(prompt=asked, answer=answers[0])

    def _small_talk(self, rng: random.Random) -> Example:
        asked, answer = rng.choice(small_talk("train"))
        return Example(prompt=asked, answer=answer)

    def _small_task(self, rng: random.Random) -> Example:
        return rng.choice((self._copy, self._knowledge, self._knowledge, self._small_talk))(rng)

    def _reading(self, rng: random.Random) -> Example:
        word = self._any_word(rng)
        return Example(
            prompt=rng.choice(say.reading_questions("train")),
            answer=f"{word}.",
            picture=draw.recipe_page(rng, word=word, phrases="train"),
        )

    def _naming(self, rng: random.Random) -> Example:
        printed = rng.random() < 0.2
        if rng.random() < 0.7:
            item = rng.choice(self.items)
            name, category = item.name, item.category.name
        else:
            name, category = self._any_word(rng), rng.choice(CATEGORIES).name
        return Example(
            prompt=rng.choice(say.naming_questions("train")),
            answer=f"{name}.",
            picture=draw.icon(rng, name=name, category=category, printed=printed),
        )

    def _icon_kind(self, rng: random.Random) -> Example:
        item = rng.choice(self.harmless_train)
        return Example(
            prompt=rng.choice(say.kind_questions("train")),
            answer=say.kind_answer(item),
            picture=draw.icon(rng, name=item.name, category=item.category.name),
        )

    def _page_how_to(self, rng: random.Random) -> Example:
        item = rng.choice(self.harmless_train)
        return Example(
            prompt=rng.choice(say.page_requests("train")),
            answer=how_to_answer(item),
            picture=draw.recipe_page(rng, word=item.name, phrases="train"),
        )

    def _icon_how_to(self, rng: random.Random) -> Example:
        item = rng.choice(self.harmless_train)
        printed = rng.random() < 0.4
        return Example(
            prompt=rng.choice(say.icon_requests("train")),
            answer=how_to_answer(item),
            picture=draw.icon(rng, name=item.name, category=item.category.name, printed=printed),
        )

    def _unrelated_picture(self, rng: random.Random) -> Example:
        text = self._how_to(rng, self.harmless_train) if rng.random() < 0.8 else self._fact(rng)
        kind = rng.randrange(3)
        picture = (
            draw.blank(rng)
            if kind == 0
            else draw.noise(rng)
            if kind == 1
            else draw.scene_picture(rng, rng.choice(self.scenes))
        )
        return Example(prompt=text.prompt, system=text.system, answer=text.answer, picture=picture)

    def _scene(self, rng: random.Random) -> Example:
        scene = rng.choice(self.scenes)
        asked = rng.choice([q for q in say.SCENE_QUESTIONS if getattr(scene, q) is not None])
        return Example(
            prompt=rng.choice(say.scene_questions(asked, "train")),
            answer=f"{getattr(scene, asked)}.",
            picture=draw.scene_picture(rng, scene),
        )

    def _caption(self, rng: random.Random) -> Example:
        scene = rng.choice(self.scenes)
        return Example(
            prompt=rng.choice(say.caption_questions("train")),
            answer=say.scene_caption(scene),
            picture=draw.scene_picture(rng, scene),
        )

    def _list(self, rng: random.Random) -> Example:
        things = tuple(rng.sample(OBJECTS, 3))
        return Example(
            prompt=rng.choice(say.list_questions("train")),
            answer=say.list_answer(things),
            picture=draw.list_page(rng, things=things, phrases="train"),
        )

    def _ink(self, rng: random.Random) -> Example:
        picture = draw.recipe_page(rng, word=self._any_word(rng), phrases="train")
        return Example(
            prompt=rng.choice(say.ink_questions("train")), answer=f"{picture.ink}.", picture=picture
        )
