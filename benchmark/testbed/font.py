"""A bitmap font of 5 x 7 dots in cells of 8 x 8 pixels: one character fills one patch.

Glyphs are columns from left to right, the lowest bit on top. Letters are drawn as capitals.
"""

from __future__ import annotations

from functools import cache

import numpy as np

CELL = 8
_GLYPHS = {
    "a": "7e1111117e", "b": "7f49494936", "c": "3e41414122", "d": "7f4141221c", "e": "7f49494941",
    "f": "7f09090901", "g": "3e4149497a", "h": "7f0808087f", "i": "00417f4100", "j": "2040413f01",
    "k": "7f08142241", "l": "7f40404040", "m": "7f020c027f", "n": "7f0408107f", "o": "3e4141413e",
    "p": "7f09090906", "q": "3e4151215e", "r": "7f09192946", "s": "4649494931", "t": "01017f0101",
    "u": "3f4040403f", "v": "1f2040201f", "w": "3f4038403f", "x": "6314081463", "y": "0708700807",
    "z": "6151494543", "0": "3e5149453e", "1": "00427f4000", "2": "4261514946", "3": "2141454b31",
    "4": "1814127f10", "5": "2745454539", "6": "3c4a494930", "7": "0171090503", "8": "3649494936",
    "9": "064949291e", " ": "0000000000",
}  # fmt: skip
CHARACTERS = "".join(_GLYPHS)


@cache
def glyph(character: str) -> np.ndarray:
    """The dots of one character as bool [8, 8], False around them."""
    cell_HW = np.zeros((CELL, CELL), dtype=bool)
    for x, column in enumerate(bytes.fromhex(_GLYPHS[character])):
        for y in range(7):
            cell_HW[y, x + 1] = bool(column >> y & 1)
    cell_HW.setflags(write=False)
    return cell_HW


def read_cell(dots_HW: np.ndarray) -> str:
    """The character whose glyph a cell of dots equals; raises KeyError if it is none."""
    return _by_dots()[np.asarray(dots_HW, dtype=bool).tobytes()]


@cache
def _by_dots() -> dict[bytes, str]:
    return {glyph(character).tobytes(): character for character in CHARACTERS}
