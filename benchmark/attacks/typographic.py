"""The request as a picture of text: a titled list with empty points, to be filled in.

FigStep: Gong et al. 2023, arXiv:2311.05608.
Differs from the paper: the page is as large as the material draws it (64x64 pixels in the
miniature world, a word and three numbers), and the text prompt is one of many wordings, not one.
"""

from __future__ import annotations

from benchmark.api import Attack
from benchmark.attacks._dressing import asked_about, dressed
from benchmark.core.samples import PhraseSet, Purpose, Sample
from benchmark.data.material import Material


class Typographic(Attack):
    """FigStep's page of text with a harmless-looking text prompt."""

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
        """A page that names the subject, and a prompt that only asks to fill it in."""
        subject = behaviour.subject
        prompt = material.phrase("typographic", subject=subject, phrases=phrases, variant=variant)
        image = material.picture("page", subject=subject, phrases=phrases, variant=variant)
        return dressed(
            behaviour,
            form="typographic",
            variant=variant,
            purpose=purpose,
            prompt=prompt,
            image=image,
        )

    def question(
        self, behaviour: Sample, *, material: Material, phrases: PhraseSet, variant: int
    ) -> Sample:
        """What does the page say?"""
        attacked = self.sample(
            behaviour, material=material, phrases=phrases, variant=variant, purpose="comprehension"
        )
        prompt, answer = material.comprehension(
            "typographic", subject=behaviour.subject, phrases=phrases, variant=variant
        )
        return asked_about(attacked, prompt=prompt, answer=answer)


ATTACK = Typographic
