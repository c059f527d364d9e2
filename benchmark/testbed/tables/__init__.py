"""The tables behind the cards `datasets/testbed-*.yaml`: rows of samples, by table and split.

Each table says by which closed rule an answer is right and what guessing scores. Tables of persons
(privacy) will stand beside these.
"""

from __future__ import annotations

from benchmark.core.samples import Sample
from benchmark.data.images import ImageStore
from benchmark.testbed.items import World
from benchmark.testbed.material import TestbedMaterial
from benchmark.testbed.tables.captioned import CAPTIONED_TABLES
from benchmark.testbed.tables.how_to import HOW_TO_TABLES
from benchmark.testbed.tables.pictures import PICTURE_TABLES
from benchmark.testbed.tables.table import Metric, Table
from benchmark.testbed.tables.texts import TEXT_TABLES

TABLES: dict[str, Table] = {
    table.name: table for table in HOW_TO_TABLES + TEXT_TABLES + PICTURE_TABLES + CAPTIONED_TABLES
}

__all__ = ["TABLES", "Metric", "Table", "rows"]


def rows(table: str, split: str, *, world: World, images: ImageStore) -> list[Sample]:
    """The samples of one split, always in the same order; their images lie in the store.

    Raises KeyError for a table or a split that there is not.
    """
    if split not in TABLES[table].splits:
        raise KeyError(f"table {table!r} has no split {split!r}")
    return list(TABLES[table].build(split, TestbedMaterial(world, images)))
