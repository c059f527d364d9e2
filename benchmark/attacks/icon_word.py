"""The request's object as a picture with its name printed beneath it.

MM-SafetyBench's picture-and-typography form: Liu et al. 2023, arXiv:2311.17600.
Differs from the paper: a drawn icon stands for the generated photograph, and one prompt serves
every picture instead of a rephrased question for each.
"""

from __future__ import annotations

from benchmark.attacks._dressed import DressedAttack


class IconWord(DressedAttack):
    """A picture of the object with its name in it, and a prompt that does not name it."""

    form = "icon_word"
    family = "image"
    needs_images = True
    picture = "icon_word"
    carries_request = True


ATTACK = IconWord
