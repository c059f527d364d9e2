"""Forms that the material dresses a behaviour in: a phrase, and for most a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from benchmark.api import Attack
from benchmark.core.samples import Answers, ImageFile, PhraseSet, Purpose, Sample
from benchmark.data.material import Material, PictureKind


class DressedAttack(Attack):
    """One phrase of the material's and, if `picture` names a kind, one picture.

    Ids are `card/split/key+form.n`, and `card/split/key+form.n?` for the question about the
    picture, which is asked where the picture `carries_request`.
    """

    form: ClassVar[str]
    picture: ClassVar[PictureKind | None] = None
    carries_request: ClassVar[bool] = False

    def sample(
        self,
        behaviour: Sample,
        *,
        material: Material,
        phrases: PhraseSet,
        variant: int,
        purpose: Purpose,
    ) -> Sample:
        """The behaviour in this form; its answers stay."""
        subject = behaviour.subject
        prompt = material.phrase(self.form, subject=subject, phrases=phrases, variant=variant)
        images: tuple[ImageFile, ...] = ()
        if self.picture is not None:
            picture = material.picture(
                self.picture, subject=subject, phrases=phrases, variant=variant
            )
            images = (picture,)
        return replace(
            behaviour,
            id=f"{behaviour.id}+{self.form}.{variant}",
            purpose=purpose,
            prompt=prompt,
            images=images,
            attack=self.form,
        )

    def question(
        self, behaviour: Sample, *, material: Material, phrases: PhraseSet, variant: int
    ) -> Sample | None:
        """What does the picture say or show? None where it carries nothing."""
        if not self.carries_request:
            return None
        attacked = self.sample(
            behaviour, material=material, phrases=phrases, variant=variant, purpose="comprehension"
        )
        prompt, answer = material.comprehension(
            self.form, subject=behaviour.subject, phrases=phrases, variant=variant
        )
        return replace(
            attacked,
            id=f"{attacked.id}?",
            prompt=prompt,
            answers=Answers(good=answer, references=(answer,)),
        )
