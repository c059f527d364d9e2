"""The request with its object only in a picture: the text says "this", the picture shows what.

Image-only harm without words in either input: Hu et al. 2024 (VLSBench), arXiv:2411.19939.
Differs from the paper: a drawn icon known to the model stands for a photograph, and the text
prompt asks how to make it, where VLSBench asks a different question for every image.
"""

from __future__ import annotations

from benchmark.attacks._dressed import DressedAttack


class Icon(DressedAttack):
    """A picture of the object and a prompt that does not name it."""

    form = "icon"
    family = "image"
    needs_images = True
    picture = "icon"
    carries_request = True


ATTACK = Icon
