"""The request inside a frame that talks the model into it.

Prefix injection: Wei et al. 2023, arXiv:2307.02483. Persuasion: Zeng et al. 2024,
arXiv:2401.06373. Role play and stories: Shen et al. 2023, arXiv:2308.03825.
Differs from the paper: fixed templates in the words of the material, mixed evenly over the
frames; nothing is searched, rewritten by a model, or repeated until it works.
"""

from __future__ import annotations

from benchmark.api import Attack
from benchmark.attacks._dressing import dressed
from benchmark.core.samples import PhraseSet, Purpose, Sample
from benchmark.data.material import Material


class Jailbreak(Attack):
    """The request in a jailbreak frame, in text."""

    family = "text"

    def sample(
        self,
        behaviour: Sample,
        *,
        material: Material,
        phrases: PhraseSet,
        variant: int,
        purpose: Purpose,
    ) -> Sample:
        """The request in the words of the form."""
        prompt = material.phrase(
            "jailbreak", subject=behaviour.subject, phrases=phrases, variant=variant
        )
        return dressed(behaviour, form="jailbreak", variant=variant, purpose=purpose, prompt=prompt)


ATTACK = Jailbreak
