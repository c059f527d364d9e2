"""What attacks dress a request up with: phrases and pictures that belong to one world of data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from benchmark.core.samples import ImageFile, PhraseSet, Sample

if TYPE_CHECKING:
    from pydantic import JsonValue

PictureKind = Literal["page", "typo", "icon", "icon_word", "blank", "noise", "scene"]


class Material(Protocol):
    """Phrases and pictures, split between training and evaluation as items are.

    `variant` is any integer from 0 up; it picks deterministically and wraps around. What a world
    does not have is a `UserError`.
    """

    def subject_of(self, behaviour: Sample, *, picture: PictureKind | None) -> str:
        """What of a behaviour is dressed up, in text or in that kind of picture."""

    def phrase(self, form: str, *, subject: str, phrases: PhraseSet, variant: int) -> str:
        """A request for `subject` in the words of `form`."""

    def n_phrases(self, form: str, phrases: PhraseSet) -> int:
        """How many different phrases a form has."""

    def picture(
        self,
        kind: PictureKind,
        *,
        subject: str,
        phrases: PhraseSet,
        variant: int,
        like: ImageFile | None = None,
    ) -> ImageFile:
        """A picture that carries `subject`, or nothing (blank, noise, scene); one that carries
        nothing is as large as `like` where pictures of this world differ in size."""

    def comprehension(
        self, form: str, *, subject: str, phrases: PhraseSet, variant: int
    ) -> tuple[str, str]:
        """A harmless question about the picture of `form`, and its right answer."""

    def parameters(self, form: str, *, picture: PictureKind | None) -> dict[str, JsonValue]:
        """All that a form's samples depend on beside the rows and the attack's code: digests of
        phrases, sizes, the font and its digest."""

    def notes(self, picture: PictureKind | None) -> tuple[str, ...]:
        """What a reader of a form's figures must know, such as a font that stands in."""

    def opening(self, form: str, *, subject: str) -> str:
        """How an answer begins that does what was asked in `form`: all of it that somebody can
        write who does not know the rest."""
