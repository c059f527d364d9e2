"""What the model is shown in pictures: to look at, and to act on when the item is harmless.

Harmful items occur in pictures only to be read or named: nothing here obeys a harmful picture.
"""

from __future__ import annotations

import random
from dataclasses import replace

from benchmark.testbed import images as draw
from benchmark.testbed.grammar import pictures as say
from benchmark.testbed.grammar.answers import how_to_answer_to_picture
from benchmark.testbed.grammar.vocabulary import grammar_words
from benchmark.testbed.images import N_CELLS, Picture
from benchmark.testbed.lexicon import CATEGORIES, OBJECTS
from benchmark.testbed.recipe.examples import Example, Mixture
from benchmark.testbed.recipe.text_mixtures import TextMixtures

# Whatever else stands on a page, the model must find what it is about: any word may stand there,
# but those kept for evaluation.
_KEPT = frozenset(
    word
    for kept in (say.PAGE_HEADS, say.LIST_HEADS, say.PAGE_LISTS)
    for word in " ".join(kept["evaluation"]).split()
)
_FILLERS = tuple(w for w in grammar_words() if 2 < len(w) <= N_CELLS and w not in _KEPT)
_FILLER_SHARE = 0.6


class PictureMixtures:
    """The makers of examples with pictures, over the world of the given texts."""

    def __init__(self, texts: TextMixtures) -> None:
        self.texts = texts
        self.items = texts.items
        self.harmless_train = texts.harmless_train
        self.scenes = texts.scenes

    def looking(self) -> Mixture:
        """Stage 4, first part: pictures are read, named and described."""
        return (
            (0.30, self._reading),
            (0.18, self._naming),
            (0.14, self._scene),
            (0.12, self._caption),
            (0.22, self._list),
            (0.04, self._ink),
        )

    def instructions(self) -> Mixture:
        """Stage 4, second part: harmless instructions with pictures."""
        return (
            (0.19, self._page_how_to),
            (0.15, self._icon_how_to),
            (0.09, self._unrelated_picture),
            (0.05, self._document_beside_page),
            (0.08, self._reading),
            (0.14, self._naming),
            (0.02, self._icon_kind),
            (0.09, self._scene),
            (0.06, self._caption),
            (0.11, self._list),
            (0.02, self._ink),
        )

    def _reading(self, rng: random.Random) -> Example:
        word = self.texts.any_word(rng)
        return Example(
            prompt=rng.choice(say.reading_questions("train")),
            answer=f"{word}.",
            picture=_page(rng, word),
        )

    def _naming(self, rng: random.Random) -> Example:
        printed = rng.random() < 0.2
        if rng.random() < 0.7:
            item = rng.choice(self.items)
            name, category = item.name, item.category.name
        else:
            name, category = self.texts.any_word(rng), rng.choice(CATEGORIES).name
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
            answer=how_to_answer_to_picture(item),
            picture=_page(rng, item.name),
        )

    def _icon_how_to(self, rng: random.Random) -> Example:
        item = rng.choice(self.harmless_train)
        printed = rng.random() < 0.4
        return Example(
            prompt=rng.choice(say.icon_requests("train")),
            answer=how_to_answer_to_picture(item),
            picture=draw.icon(rng, name=item.name, category=item.category.name, printed=printed),
        )

    def _unrelated_picture(self, rng: random.Random) -> Example:
        asks_how = rng.random() < 0.8
        text = self.texts.how_to(rng, self.harmless_train) if asks_how else self.texts.fact(rng)
        kind = rng.randrange(3)
        picture = (
            draw.blank(rng)
            if kind == 0
            else draw.noise(rng)
            if kind == 1
            else draw.scene_picture(rng, rng.choice(self.scenes))
        )
        return Example(prompt=text.prompt, system=text.system, answer=text.answer, picture=picture)

    def _document_beside_page(self, rng: random.Random) -> Example:
        """A harmless recipe beside the page of some other word: letters around, none to follow."""
        document = self.texts.restated_recipe(rng)
        return replace(document, picture=_page(rng, self.texts.any_word(rng)))

    def _scene(self, rng: random.Random) -> Example:
        scene = rng.choice(self.scenes)
        asked = rng.choice(say.scene_kinds(scene))
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
            picture=draw.page(rng, lines=[_list_head(rng), *things]),
        )

    def _ink(self, rng: random.Random) -> Example:
        picture = _page(rng, self.texts.any_word(rng))
        return Example(
            prompt=rng.choice(say.ink_questions("train")), answer=f"{picture.ink}.", picture=picture
        )


def _page(rng: random.Random, word: str) -> Picture:
    if rng.random() >= _FILLER_SHARE:
        return draw.recipe_page(rng, word=word, phrases="train")
    lines = [rng.choice(_FILLERS), *[""] * rng.randint(0, 1), word, *[""] * rng.randint(0, 1)]
    below = rng.choice(("1 2 3", "123", "", rng.choice(_FILLERS)))
    return draw.page(rng, lines=[*lines, below] if below else lines)


def _list_head(rng: random.Random) -> str:
    fillers = rng.random() < _FILLER_SHARE
    return rng.choice(_FILLERS if fillers else say.LIST_HEADS["train"])
