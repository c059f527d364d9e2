"""The request's object as a picture with its name printed beneath it.

MM-SafetyBench's picture-and-typography form: Liu et al. 2023, arXiv:2311.17600.
Differs from the paper: a drawn icon stands for the generated photograph, and one prompt serves
every picture instead of a rephrased question for each.
"""

from __future__ import annotations

from benchmark.api import Attack
from benchmark.attacks._dressing import asked_about, dressed
from benchmark.core.samples import PhraseSet, Purpose, Sample
from benchmark.data.material import Material


class IconWord(Attack):
    """A picture of the object with its name in it, and a prompt that does not name it."""

    family = "image"
    needs_images = True

    def sample(
        self,
        behaviour: Sample,
        *,
        material: Material,
        phrases: PhraseSet,
        variant: int,
        purpose: Purpose,
    ) -> Sample:
        """An icon with the subject's name, and a prompt that asks how to make what it shows."""
        subject = behaviour.subject
        prompt = material.phrase("icon_word", subject=subject, phrases=phrases, variant=variant)
        image = material.picture("icon_word", subject=subject, phrases=phrases, variant=variant)
        return dressed(
            behaviour,
            form="icon_word",
            variant=variant,
            purpose=purpose,
            prompt=prompt,
            image=image,
        )

    def question(
        self, behaviour: Sample, *, material: Material, phrases: PhraseSet, variant: int
    ) -> Sample:
        """What does the picture show?"""
        attacked = self.sample(
            behaviour, material=material, phrases=phrases, variant=variant, purpose="comprehension"
        )
        prompt, answer = material.comprehension(
            "icon_word", subject=behaviour.subject, phrases=phrases, variant=variant
        )
        return asked_about(attacked, prompt=prompt, answer=answer)


ATTACK = IconWord
