"""The request as a picture of text: a titled list with empty points, to be filled in.

FigStep: Gong et al. 2023, arXiv:2311.05608.
Differs from the paper: the page is as large as the material draws it (64x64 pixels in the
miniature world, a word and three numbers), and the text prompt is one of many wordings, not one.
"""

from __future__ import annotations

from benchmark.attacks._dressed import DressedAttack


class Typographic(DressedAttack):
    """FigStep's page of text with a harmless-looking text prompt."""

    form = "typographic"
    family = "image"
    needs_images = True
    picture = "page"
    carries_request = True


ATTACK = Typographic
