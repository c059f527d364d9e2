"""Dresses a behaviour up in any form an attack needs, harmful items and harmless twins alike.

Persons have tables of their own (`tables.persons`).
"""

from __future__ import annotations

import random
import zlib

import numpy as np
from pydantic import JsonValue

from benchmark.core.errors import UserError, nearest
from benchmark.core.samples import ImageFile, PhraseSet, Sample
from benchmark.core.store import digest
from benchmark.data.images import ImageStore
from benchmark.data.material import PictureKind
from benchmark.testbed import images as draw
from benchmark.testbed.grammar.pictures import (
    icon_requests,
    naming_questions,
    page_requests,
    reading_questions,
)
from benchmark.testbed.grammar.questions import fact_question
from benchmark.testbed.grammar.requests import (
    FRAMES,
    framed_requests,
    jailbreaks,
    plain_requests,
)
from benchmark.testbed.items import World
from benchmark.testbed.scenes import all_scenes

PHRASE_SETS: tuple[PhraseSet, ...] = ("train", "evaluation")
IMAGE_ONLY_FORMS = ("typographic", "icon", "icon_word")
FORMS = (
    "direct",
    "jailbreak",
    "prefix",
    *FRAMES,
    *IMAGE_ONLY_FORMS,
    "blank_image",
    "noise_image",
    "harmless_image",
)


class TestbedMaterial:
    """Prompts, pictures and comprehension questions about items of one world."""

    __test__ = False  # the name begins with "Test", and pytest would collect it

    def __init__(self, world: World, images: ImageStore) -> None:
        self.world = world
        self.images = images

    def subject_of(self, behaviour: Sample, *, picture: PictureKind | None) -> str:
        """The item's name, in text and in pictures alike."""
        return behaviour.subject

    def phrase(self, form: str, *, subject: str, phrases: PhraseSet, variant: int) -> str:
        """The user's prompt for that form (`FORMS`); image-only forms do not name the item.

        Variants 0 .. n_phrases - 1 are all different; subjects begin at different ones.
        """
        forms = _phrases(form, phrases)
        return forms[(_offset(subject) + variant) % len(forms)].replace("{x}", subject)

    def n_phrases(self, form: str, phrases: PhraseSet) -> int:
        """How many different prompts that form has."""
        return len(_phrases(form, phrases))

    def picture(
        self,
        kind: PictureKind,
        *,
        subject: str,
        phrases: PhraseSet,
        variant: int,
        like: ImageFile | None = None,
    ) -> ImageFile:
        """A stored picture; training and evaluation pictures differ in style as well as in seed.

        All of this world are of one size, so that `like` changes nothing.
        """
        pixels_HWC = picture_pixels(
            self.world, kind, subject=subject, phrases=phrases, variant=variant
        )
        return self.images.put(pixels_HWC)

    def comprehension(
        self, form: str, subject: str, phrases: PhraseSet, variant: int
    ) -> tuple[str, str]:
        """A harmless question about the same kind of picture, and its right answer.

        For forms that name the item in text: what kind of thing it is.
        """
        if form not in IMAGE_ONLY_FORMS:
            item = self.world.item(subject)
            return fact_question(item, "kind", phrases=phrases, variant=variant)
        questions = reading_questions if form == "typographic" else naming_questions
        asked = questions(phrases)
        return asked[(_offset(subject) + variant) % len(asked)], f"{subject}."

    def parameters(self, form: str, *, picture: PictureKind | None) -> dict[str, JsonValue]:
        """A digest of the form's phrases, and the kind of picture."""
        wording = {one: list(_phrases(form, one)) for one in PHRASE_SETS}
        found: dict[str, JsonValue] = {"phrases_sha256": digest(wording)}
        return found if picture is None else found | {"picture": {"renderer": f"testbed/{picture}"}}

    def notes(self, picture: PictureKind | None) -> tuple[str, ...]:
        """Nothing: this world has a font of its own."""
        return ()

    def opening(self, form: str, *, subject: str) -> str:
        """What is asked for said again, as all answers in this world begin: nothing of the steps.

        The kind is left out where a picture stands for the item, as in answers to pictures.
        """
        item = self.world.item(subject)
        if form in IMAGE_ONLY_FORMS:
            return f"to make {item.name}, first"
        return f"to make the {item.category.noun} {item.name}, first"


def picture_pixels(
    world: World, kind: PictureKind, *, subject: str, phrases: PhraseSet, variant: int
) -> np.ndarray:
    """Pixels uint8 [64, 64, 3] of a picture of that kind; raises `UserError` for another kind."""
    rng = random.Random(f"{phrases}/{kind}/{subject}/{variant}")
    if kind == "page":
        return draw.recipe_page(rng, word=subject, phrases=phrases).pixels_HWC
    if kind in ("icon", "icon_word"):
        category = world.item(subject).category.name
        printed = kind == "icon_word"
        return draw.icon(rng, name=subject, category=category, printed=printed).pixels_HWC
    if kind == "blank":
        return draw.blank(rng).pixels_HWC
    if kind == "noise":
        return draw.noise(rng).pixels_HWC
    if kind == "scene":
        return draw.scene_picture(rng, rng.choice(all_scenes())).pixels_HWC
    raise UserError(f"the miniature world has no picture of kind '{kind}'")


def _phrases(form: str, phrases: PhraseSet) -> tuple[str, ...]:
    if form in ("direct", "blank_image", "noise_image", "harmless_image"):
        return plain_requests(phrases)
    if form == "jailbreak":
        return jailbreaks(phrases)
    if form == "prefix":
        return framed_requests("prefix_injection", phrases)
    if form in FRAMES:
        return framed_requests(form, phrases)
    if form == "typographic":
        return page_requests(phrases)
    if form in ("icon", "icon_word"):
        return icon_requests(phrases)
    raise UserError(
        f"the miniature world has no words for the form '{form}', {nearest(form, FORMS)}"
    )


def _offset(subject: str) -> int:
    return zlib.crc32(subject.encode())
