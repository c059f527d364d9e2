"""Renders the pictures of the miniature world: 64 x 64 pixels, 8-bit RGB, patches of 8.

Everything is a pure function of what is shown and of a `random.Random`. A picture carries what it
shows, patch by patch, because the vision tower is taught with it and tests read it back.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from benchmark.core.samples import PhraseSet
from benchmark.testbed.faces import Face
from benchmark.testbed.font import CELL, glyph
from benchmark.testbed.grammar.pictures import LIST_HEADS, PAGE_HEADS, PAGE_LISTS
from benchmark.testbed.scenes import COUNTS, Scene
from benchmark.testbed.shapes import (
    COLORS,
    CONSONANT_SHAPES,
    EMBLEM,
    VOWEL_COLORS,
    emblem,
    mask,
)

SIDE = 64
N_CELLS = SIDE // CELL
_LIGHT_INKS = ("yellow",)  # readable on dark paper only


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Pixels uint8 [64, 64, 3] and what they show.

    `letters` are eight rows of eight characters, one per patch (a space where there is none); an
    icon's shapes stand for the letters of their syllable, in the upper row of their patches.
    """

    pixels_HWC: np.ndarray
    letters: tuple[str, ...]
    ink: str | None = None
    category: str | None = None
    scene: Scene | None = None


class _Canvas:
    """Pixels being drawn, and the letters put on them so far."""

    def __init__(self, background: tuple[int, ...]) -> None:
        self.pixels_HWC = np.empty((SIDE, SIDE, 3), dtype=np.uint8)
        self.pixels_HWC[:] = background
        self.letters = [[" "] * N_CELLS for _ in range(N_CELLS)]

    def stamp(self, drawn_HW: np.ndarray, *, x: int, y: int, color: tuple[int, ...]) -> None:
        height, width = drawn_HW.shape
        self.pixels_HWC[y : y + height, x : x + width][drawn_HW] = color

    def write(self, text: str, *, row: int, column: int, color: tuple[int, ...]) -> None:
        for offset, character in enumerate(text):
            if character == " ":
                continue
            cell = column + offset
            self.stamp(glyph(character), x=cell * CELL, y=row * CELL, color=color)
            self.letters[row][cell] = character

    def picture(self, **shown: object) -> Picture:
        letters = tuple("".join(row) for row in self.letters)
        return Picture(pixels_HWC=self.pixels_HWC, letters=letters, **shown)  # type: ignore[arg-type]


def page(rng: random.Random, *, lines: list[str], ink: str | None = None) -> Picture:
    """A typographic page: lines of at most 8 characters, at a random place, in random colours."""
    ink = ink or rng.choice(list(COLORS))
    canvas = _Canvas(_paper(rng, dark=ink in _LIGHT_INKS))
    color = _near(rng, COLORS[ink], spread=12)
    row = rng.randint(0, N_CELLS - len(lines))
    for offset, line in enumerate(lines):
        column = rng.randint(0, N_CELLS - len(line))
        canvas.write(line, row=row + offset, column=column, color=color)
    return canvas.picture(ink=ink)


def recipe_page(rng: random.Random, *, word: str, phrases: PhraseSet) -> Picture:
    """A page in the form of FigStep: a head, the word, and an empty list to be filled in."""
    lines = [rng.choice(PAGE_HEADS[phrases])]
    if rng.random() < 0.3:
        lines.append("")
    lines.append(word)
    empty_list = rng.choice(PAGE_LISTS[phrases])
    if empty_list:
        lines += [""] * (rng.random() < 0.3) + [empty_list]
    return page(rng, lines=lines)


def list_page(rng: random.Random, *, things: tuple[str, ...], phrases: PhraseSet) -> Picture:
    """A harmless shopping list."""
    return page(rng, lines=[rng.choice(LIST_HEADS[phrases]), *things])


def icon(rng: random.Random, *, name: str, category: str, printed: bool = False) -> Picture:
    """The picture of an item: three shapes (a shape per consonant, its colour the vowel), a motif.

    `printed` writes the name beside them. The motif is the category's, so that seeing the category
    is possible; the shapes compose, so that items never shown can be named.
    """
    canvas = _Canvas(_paper(rng, dark=False))
    blocks = ["shapes", "emblem"] + ["word"] * printed
    heights = {"shapes": 2, "emblem": EMBLEM // CELL, "word": 1}
    rng.shuffle(blocks)
    spare = N_CELLS - sum(heights[block] for block in blocks)
    row = rng.randint(0, spare)
    for block in blocks:
        if block == "emblem":
            grey = rng.randint(90, 150)
            column = rng.randint(0, N_CELLS - EMBLEM // CELL)
            canvas.stamp(emblem(category), x=column * CELL, y=row * CELL, color=(grey, grey, grey))
        elif block == "word":
            column = rng.randint(0, N_CELLS - len(name))
            canvas.write(name, row=row, column=column, color=_near(rng, COLORS["black"], spread=12))
        else:
            _draw_shapes(canvas, rng, name=name, row=row)
        row += heights[block]
    return canvas.picture(category=category)


def _draw_shapes(canvas: _Canvas, rng: random.Random, *, name: str, row: int) -> None:
    column = rng.randint(0, N_CELLS - len(name))
    for start in range(0, len(name), 2):
        _draw_shape(canvas, rng, name[start : start + 2], row=row, column=column + start)


def _draw_shape(
    canvas: _Canvas, rng: random.Random, syllable: str, *, row: int, column: int
) -> None:
    """The shape of a consonant in the colour of a vowel, two patches wide and high."""
    consonant, vowel = syllable[0], syllable[1]
    canvas.stamp(
        mask(CONSONANT_SHAPES[consonant], 2 * CELL),
        x=column * CELL,
        y=row * CELL,
        color=_near(rng, COLORS[VOWEL_COLORS[vowel]], spread=12),
    )
    canvas.letters[row][column : column + 2] = [consonant, vowel]


def avatar(rng: random.Random, face: Face) -> Picture:
    """The picture of a person: hat, two eyes, nose and mouth below each other.

    The face stands left, right or in the middle; paper and shades differ between drawings.
    """
    canvas = _Canvas(_paper(rng, dark=False))
    middle = rng.randint(2, N_CELLS - 4)
    _draw_shape(canvas, rng, face.hat, row=0, column=middle)
    for column in (middle - 2, middle + 2):
        _draw_shape(canvas, rng, face.eyes, row=2, column=column)
    _draw_shape(canvas, rng, face.nose, row=4, column=middle)
    _draw_shape(canvas, rng, face.mouth, row=6, column=middle)
    return canvas.picture()


def scene_picture(rng: random.Random, scene: Scene) -> Picture:
    """Draw a scene: shapes of 20 pixels in the four quarters, or one on its side."""
    canvas = _Canvas(_paper(rng, dark=False))
    corners = {"left": (2, 22), "right": (42, 22), "top": (22, 2), "bottom": (22, 42)}
    if scene.position is not None:
        places = [corners[scene.position]]
    else:
        quarters = [(6, 6), (38, 6), (6, 38), (38, 38)]
        places = rng.sample(quarters, COUNTS.index(scene.count) + 1)
    for x, y in places:
        canvas.stamp(
            mask(scene.shape, 20),
            x=x + rng.randint(-2, 2),
            y=y + rng.randint(-2, 2),
            color=_near(rng, COLORS[scene.color], spread=12),
        )
    return canvas.picture(scene=scene)


def blank(rng: random.Random) -> Picture:
    """An empty picture of one colour."""
    return _Canvas(tuple(rng.randint(0, 255) for _ in range(3))).picture()


def noise(rng: random.Random) -> Picture:
    """Random pixels."""
    canvas = _Canvas((0, 0, 0))
    canvas.pixels_HWC[:] = np.frombuffer(rng.randbytes(SIDE * SIDE * 3), dtype=np.uint8).reshape(
        SIDE, SIDE, 3
    )
    return canvas.picture()


def _paper(rng: random.Random, *, dark: bool) -> tuple[int, ...]:
    low, high = (20, 70) if dark else (215, 255)
    return tuple(rng.randint(low, high) for _ in range(3))


def _near(rng: random.Random, color: tuple[int, ...], *, spread: int) -> tuple[int, ...]:
    return tuple(min(255, max(0, value + rng.randint(-spread, spread))) for value in color)
