"""What can be done with the families here. A test builds every one and holds it to these words."""

from __future__ import annotations

from benchmark.models.shape import Family

CROSS_ATTENDING: frozenset[Family] = frozenset({"mllama"})
"""Look at images beside their words: no method finds visual tokens to rewrite or to align."""
ONE_SIZE: frozenset[Family] = frozenset({"llava", "gemma3", "paligemma"})
"""Make as many visual tokens of every image. Of others a method that looks at visual tokens is
asked about images of one size."""


def capabilities(family: Family) -> dict[str, str]:
    """In words, under what they are of."""
    visual = "n/a: cross-attention" if family in CROSS_ATTENDING else "images of one size"
    if family in ONE_SIZE:
        visual = "yes"
    return {
        "text and images": "yes",
        "LoRA, full, 8-bit, 4-bit": "yes",
        "rewriting visual tokens (cagul)": visual,
        "alignment (tga)": "n/a: cross-attention" if family in CROSS_ATTENDING else "yes",
        "operations counted": "yes",
    }
