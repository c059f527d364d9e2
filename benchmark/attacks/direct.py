"""The request itself, in plain words.

The baseline of every attack paper; no source of its own.
Differs from the paper: none known.
"""

from __future__ import annotations

from benchmark.api import Attack
from benchmark.attacks._dressing import dressed
from benchmark.core.samples import PhraseSet, Purpose, Sample
from benchmark.data.material import Material


class Direct(Attack):
    """The plain request in text."""

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
            "direct", subject=behaviour.subject, phrases=phrases, variant=variant
        )
        return dressed(behaviour, form="direct", variant=variant, purpose=purpose, prompt=prompt)


ATTACK = Direct
