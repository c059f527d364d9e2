"""Shapes and colours that icons and scenes are made of."""

from __future__ import annotations

import random
from functools import cache

import numpy as np

from benchmark.testbed.lexicon import CATEGORIES, CONSONANTS, VOWELS

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (205, 40, 40),
    "green": (40, 150, 60),
    "blue": (50, 80, 210),
    "yellow": (225, 185, 30),
    "purple": (140, 50, 170),
    "black": (25, 25, 25),
}
SCENE_SHAPES = ("circle", "square", "triangle", "cross")
VOWEL_COLORS = dict(zip(VOWELS, ("red", "green", "blue", "yellow", "purple"), strict=True))
_CONSONANT_SHAPES = (
    "circle", "square", "triangle", "cross", "ring", "frame", "funnel", "diamond", "rows",
    "columns", "moon", "corner", "saltire", "dots",
)  # fmt: skip
CONSONANT_SHAPES = dict(zip(CONSONANTS, _CONSONANT_SHAPES, strict=True))
EMBLEM = 24  # pixels


@cache
def mask(shape: str, size: int) -> np.ndarray:
    """The pixels of a shape as bool [size, size], with a margin of one."""
    y_HW, x_HW = np.mgrid[0:size, 0:size]
    half = (size - 1) / 2
    u_HW, v_HW = (x_HW - half) / (half - 0.5), (y_HW - half) / (half - 0.5)
    radius_HW = np.hypot(u_HW, v_HW)
    inside_HW = (np.abs(u_HW) <= 1) & (np.abs(v_HW) <= 1)
    box_HW = np.maximum(np.abs(u_HW), np.abs(v_HW))
    drawn = {
        "circle": radius_HW <= 1,
        "square": box_HW <= 0.85,
        "triangle": np.abs(u_HW) <= (v_HW + 1) / 2,
        "cross": (np.abs(u_HW) <= 0.3) | (np.abs(v_HW) <= 0.3),
        "ring": (radius_HW <= 1) & (radius_HW >= 0.55),
        "frame": (box_HW <= 1) & (box_HW >= 0.6),
        "funnel": np.abs(u_HW) <= (1 - v_HW) / 2,
        "diamond": np.abs(u_HW) + np.abs(v_HW) <= 1,
        "rows": np.abs(np.abs(v_HW) - 0.55) <= 0.22,
        "columns": np.abs(np.abs(u_HW) - 0.55) <= 0.22,
        "moon": (radius_HW <= 1) & (np.hypot(u_HW - 0.5, v_HW) >= 0.8),
        "corner": (u_HW <= -0.4) | (v_HW >= 0.4),
        "saltire": np.abs(np.abs(u_HW) - np.abs(v_HW)) <= 0.3,
        "dots": np.hypot(np.abs(u_HW) - 0.55, np.abs(v_HW) - 0.55) <= 0.38,
    }[shape]
    drawn_HW = drawn & inside_HW
    drawn_HW.setflags(write=False)
    return drawn_HW


@cache
def emblem(category: str) -> np.ndarray:
    """The motif of a category as bool [24, 24]: a mirrored pattern drawn once and for all."""
    number = [c.name for c in CATEGORIES].index(category)
    rng = random.Random(f"emblem {number}")
    cells = [[rng.random() < 0.5 for _ in range(3)] for _ in range(6)]
    pattern_HW = np.array([row + row[::-1] for row in cells], dtype=bool)
    drawn_HW = np.kron(pattern_HW, np.ones((4, 4), dtype=bool))
    drawn_HW.setflags(write=False)
    return drawn_HW
