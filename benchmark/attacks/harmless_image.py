"""The plain request in text beside an unrelated harmless picture.

An arm of the modality matrix beside `blank_image`, in the spirit of Hu et al. 2024 (VLSBench),
arXiv:2411.19939: a picture that carries nothing must change nothing.
Differs from the paper: the paper leaves the picture out; here an unrelated scene is shown.
"""

from __future__ import annotations

from benchmark.api import Attack
from benchmark.attacks._dressing import dressed
from benchmark.core.samples import PhraseSet, Purpose, Sample
from benchmark.data.material import Material


class HarmlessImage(Attack):
    """The request in text, with a harmless scene."""

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
        prompt = material.phrase(
            "harmless_image", subject=subject, phrases=phrases, variant=variant
        )
        image = material.picture("scene", subject=subject, phrases=phrases, variant=variant)
        return dressed(
            behaviour,
            form="harmless_image",
            variant=variant,
            purpose=purpose,
            prompt=prompt,
            image=image,
        )


ATTACK = HarmlessImage
