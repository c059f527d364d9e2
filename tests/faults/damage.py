"""Files damaged on purpose, the same way every time."""

from __future__ import annotations

import random
from pathlib import Path


def truncate(path: Path, *, at: int | float) -> None:
    """Keep the first `at` bytes, or that part of all (0.5 is half)."""
    whole = path.read_bytes()
    path.write_bytes(whole[: at if isinstance(at, int) else int(at * len(whole))])


def corrupt(path: Path, *, seed: int, n_bytes: int = 8) -> None:
    """Other values for some bytes, drawn by the seed."""
    draw = random.Random(seed)
    content = bytearray(path.read_bytes())
    for at in draw.sample(range(len(content)), k=min(n_bytes, len(content))):
        content[at] ^= draw.randrange(1, 256)
    path.write_bytes(content)
