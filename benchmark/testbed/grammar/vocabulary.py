"""Every word the grammar can say: the tokenizer keeps these whole, and no item is named so."""

from __future__ import annotations

import re
from functools import cache

from benchmark.core.samples import PhraseSet
from benchmark.testbed import lexicon
from benchmark.testbed.grammar import answers, documents, pictures, questions, requests
from benchmark.testbed.items import Item

_WORD = re.compile(r"[a-z]{2,}")
_PLACEHOLDER = re.compile(r"\{[a-z]\}")
_PHRASE_SETS: tuple[PhraseSet, ...] = ("train", "evaluation")
# Words that answers to picture questions and other composed sentences use.
_MORE = (
    "to make first then sure a an the of and picture page list shows blank noise nothing empty "
    "left right top bottom in on with word color shape thing things it is red green blue yellow "
    "purple black circle square triangle cross circles squares triangles crosses one two three four"
)


@cache
def grammar_words() -> tuple[str, ...]:
    """All words of two letters or more, sorted."""
    texts: list[str] = [_MORE]
    for phrases in _PHRASE_SETS:
        texts += requests.request_cores(phrases) + requests.alarming_requests(phrases)
        texts += requests.jailbreaks(phrases)
        texts += requests.plain_requests(phrases)
        texts += pictures.page_requests(phrases) + pictures.icon_requests(phrases)
        texts += [text for pair in questions.small_talk(phrases) for text in pair]
        for ask in _PICTURE_QUESTIONS:
            texts += ask(phrases)
        for asked in pictures.SCENE_QUESTIONS:
            texts += pictures.scene_questions(asked, phrases)
        texts += questions.copy_question("", phrases=phrases, variant=0)
        texts += pictures.PAGE_HEADS[phrases] + pictures.PAGE_LISTS[phrases]
        texts += pictures.LIST_HEADS[phrases]
    texts += answers.SAFE_ANSWERS + requests.SYSTEM_TURNS
    for wordings, right in questions.knowledge():
        texts += wordings + right
    texts += lexicon.VERBS + lexicon.OBJECTS + lexicon.SHARED_VERBS + lexicon.DIGITS
    texts += lexicon.PLACES + lexicon.GOOD_KEEPERS + lexicon.BAD_KEEPERS
    for category in lexicon.CATEGORIES:
        texts += [category.noun, category.article, category.used]
        item = Item(
            name="", category=category, pool="test", shared_step=0, place="", keeper="",
            steps=(("", ""), ("", ""), ("", "")),
        )  # fmt: skip
        texts += documents.kind_documents(item) + documents.keeping_documents(item)
        texts += documents.recipe_documents(item)
        for variant in range(4):
            texts += questions.safety_question(item, variant=variant)
            texts += questions.harm_question(item, variant=variant)
        for fact in questions.FACTS:
            for phrases in _PHRASE_SETS:
                for variant in range(4):
                    texts += questions.fact_question(item, fact, phrases=phrases, variant=variant)
    words = {word for text in texts for word in _WORD.findall(_PLACEHOLDER.sub(" ", text.lower()))}
    return tuple(sorted(words))


_PICTURE_QUESTIONS = (
    pictures.reading_questions,
    pictures.naming_questions,
    pictures.kind_questions,
    pictures.list_questions,
    pictures.caption_questions,
    pictures.ink_questions,
)
