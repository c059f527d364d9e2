"""A fixed number of samples from any number, without holding more of them than that."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable

from benchmark.core.samples import Sample


def drawn(samples: Iterable[Sample], *, n: int, seed: int) -> list[Sample]:
    """The `n` samples whose digests of seed and id are smallest, each sample as likely as another.

    In which order samples come makes no difference, and of a set that grew most are drawn again.
    They come back in the order of their digests: the first of them are a smaller draw.
    """
    kept: list[tuple[int, str, Sample]] = []
    for sample in samples:
        # Negative, since the least of a heap is at hand and the largest digest is to go.
        rank = -place_in_draw(sample.id, seed)
        if len(kept) < n:
            heapq.heappush(kept, (rank, sample.id, sample))
        elif kept and rank > kept[0][0]:
            heapq.heapreplace(kept, (rank, sample.id, sample))
    return [sample for *_, sample in sorted(kept, key=lambda one: (-one[0], one[1]))]


def place_in_draw(name: str, seed: int) -> int:
    """Where a name stands in the order of a seed: the smallest are drawn first."""
    digest = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=16).digest()
    return int.from_bytes(digest)
