"""The tables behind the cards `datasets/testbed-*.yaml`: rows of samples, by table and split.

Each table says by which closed rule an answer is right and what guessing scores.
"""

from __future__ import annotations

from benchmark.core.samples import Sample
from benchmark.data.images import ImageStore
from benchmark.testbed.items import Pool, World
from benchmark.testbed.material import TestbedMaterial
from benchmark.testbed.tables.captioned import CAPTIONED_TABLES
from benchmark.testbed.tables.how_to import HOW_TO_TABLES
from benchmark.testbed.tables.persons import PERSON_TABLES, PersonSplit
from benchmark.testbed.tables.pictures import PICTURE_TABLES
from benchmark.testbed.tables.table import Metric, Table
from benchmark.testbed.tables.texts import TEXT_TABLES

_OF_ITEMS = HOW_TO_TABLES + TEXT_TABLES + PICTURE_TABLES + CAPTIONED_TABLES
TABLES: dict[str, Table[Pool] | Table[PersonSplit]] = {
    **{table.name: table for table in _OF_ITEMS},
    **{table.name: table for table in PERSON_TABLES},
}

__all__ = ["TABLES", "Metric", "Table", "rows"]


def rows(
    table: str, split: str, *, world: World, images: ImageStore, limit: int | None = None
) -> list[Sample]:
    """The samples of one split, always in the same order, or the first `limit`; their images lie in
    the store.

    Raises KeyError for a table or a split that there is not.
    """
    return TABLES[table].rows(split, TestbedMaterial(world, images), limit=limit)
