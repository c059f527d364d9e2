"""Which world's phrases and pictures go with a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.data.cards import Card

if TYPE_CHECKING:
    from benchmark.data.images import ImageStore
    from benchmark.data.material import Material


def material(card: Card, *, images: ImageStore) -> Material:
    """The material that goes with a card."""
    if card.source.kind == "testbed":
        from benchmark.data.sources.testbed import the_world
        from benchmark.testbed.material import TestbedMaterial

        return TestbedMaterial(the_world(), images)
    from benchmark.data.natural.material import NaturalMaterial

    return NaturalMaterial(card.name, images)
