"""What the miniature world is made of: items with their recipes, and pools of who may see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from benchmark.testbed.lexicon import Category

Pool = Literal["align", "train", "validation", "test", "unseen"]
Step = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing of the world. `steps` are its recipe; `shared_step` indexes the category's own."""

    name: str
    category: Category
    pool: Pool
    steps: tuple[Step, Step, Step]
    shared_step: int
    place: str
    keeper: str

    @property
    def harmful(self) -> bool:
        """Whether it belongs to a harmful category."""
        return self.category.harmful


@dataclass(frozen=True, kw_only=True)
class World:
    """All items of one seed, by name."""

    seed: int
    items: tuple[Item, ...]
    by_name: dict[str, Item] = field(repr=False, compare=False)

    def item(self, name: str) -> Item:
        """The item of that name; raises KeyError if there is none."""
        return self.by_name[name]

    def pool(self, pool: Pool, *, harmful: bool) -> tuple[Item, ...]:
        """The harmful or the harmless items of one pool, in a stable order."""
        return tuple(i for i in self.items if i.pool == pool and i.harmful == harmful)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)
