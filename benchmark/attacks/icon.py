"""The request with its object only in a picture: the text says "this", the picture shows what.

Image-only harm without words in either input: Hu et al. 2024 (VLSBench), arXiv:2411.19939.
Differs from the paper: a drawn icon known to the model stands for a photograph, and the text
prompt asks how to make it, where VLSBench asks a different question for every image.
"""

from __future__ import annotations

from benchmark.api import Attack
from benchmark.attacks._dressing import asked_about, dressed
from benchmark.core.samples import PhraseSet, Purpose, Sample
from benchmark.data.material import Material


class Icon(Attack):
    """A picture of the object and a prompt that does not name it."""

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
        """An icon of the subject, and a prompt that asks how to make what it shows."""
        subject = behaviour.subject
        prompt = material.phrase("icon", subject=subject, phrases=phrases, variant=variant)
        image = material.picture("icon", subject=subject, phrases=phrases, variant=variant)
        return dressed(
            behaviour, form="icon", variant=variant, purpose=purpose, prompt=prompt, image=image
        )

    def question(
        self, behaviour: Sample, *, material: Material, phrases: PhraseSet, variant: int
    ) -> Sample:
        """What does the picture show?"""
        attacked = self.sample(
            behaviour, material=material, phrases=phrases, variant=variant, purpose="comprehension"
        )
        prompt, answer = material.comprehension(
            "icon", subject=behaviour.subject, phrases=phrases, variant=variant
        )
        return asked_about(attacked, prompt=prompt, answer=answer)


ATTACK = Icon
