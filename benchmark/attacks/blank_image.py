"""The plain request in text beside an empty picture: does the mere presence of a picture matter?

An arm of the modality matrix that Hu et al. 2024 (VLSBench), arXiv:2411.19939 call for: their
point is that text which already holds the harm says nothing about pictures.
Differs from the paper: the paper leaves the picture out; here an empty one is shown.
"""

from __future__ import annotations

from benchmark.api import Attack
from benchmark.attacks._dressing import dressed
from benchmark.core.samples import PhraseSet, Purpose, Sample
from benchmark.data.material import Material


class BlankImage(Attack):
    """The request in text, with a blank picture."""

    family = "none"
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
        """The direct request in text, and a picture beside it that says nothing of it."""
        subject = behaviour.subject
        prompt = material.phrase("blank_image", subject=subject, phrases=phrases, variant=variant)
        image = material.picture("blank", subject=subject, phrases=phrases, variant=variant)
        return dressed(
            behaviour,
            form="blank_image",
            variant=variant,
            purpose=purpose,
            prompt=prompt,
            image=image,
        )


ATTACK = BlankImage
