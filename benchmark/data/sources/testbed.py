"""Tables of the miniature world, made from its seed each time they are read."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from benchmark.core.errors import unknown
from benchmark.core.samples import Sample
from benchmark.data.card_sources import TestbedSource
from benchmark.data.cards import Card
from benchmark.data.images import ImageStore

if TYPE_CHECKING:
    from benchmark.testbed.items import World


@cache
def the_world() -> World:
    """The world that all shipped models were made in."""
    from benchmark.testbed.world import build_world

    return build_world()


def samples(
    card: Card, split: str, *, images: ImageStore, limit: int | None = None
) -> list[Sample]:
    """All samples of the card's table, or the first ones; their pictures are drawn into
    `images`."""
    from benchmark.testbed import tables

    assert isinstance(card.source, TestbedSource)
    table = card.source.table
    if table not in tables.TABLES:
        unknown(f"table of card '{card.name}'", table, tables.TABLES)
    made = tables.rows(table, split, world=the_world(), images=images, limit=limit)
    return [_with_unique_behaviour(sample) for sample in made]


def _with_unique_behaviour(sample: Sample) -> Sample:
    """Rows about no item are numbered within their split; leaks are counted by names, so that a
    number must not be the same in training and in test."""
    return sample if sample.subject else replace(sample, behaviour=sample.id)
