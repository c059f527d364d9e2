"""Training pools: what a suite gives a method to learn from, by role and by modality.

Only training phrases are used, and pictures drawn for training: evaluation has its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import cast

from benchmark.core import registry
from benchmark.core.errors import NotOffered, UserError
from benchmark.core.records import DataUse
from benchmark.core.roles import PoolModality, PoolRole
from benchmark.core.samples import Sample
from benchmark.core.store import digest
from benchmark.data import samples as tables
from benchmark.data.cards import Card, load_card
from benchmark.data.images import ImageStore
from benchmark.data.materials import material
from benchmark.data.missing import missing_of_pool, pool_parts
from benchmark.suites import PoolName, PoolPart, Suite


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Samples of one role. `uses` says what they were made of, `sha256` covers their content."""

    role: PoolRole
    modality: PoolModality
    samples: tuple[Sample, ...]
    uses: tuple[DataUse, ...]
    sha256: str


def load_pool(
    suite: Suite, name: PoolName, role: PoolRole, modality: PoolModality, *, images: ImageStore
) -> Pool:
    """The pool of a role, of the sets that are here; `NotOffered` for one that the suite does not
    have, `DataMissing` where nothing of it is here."""
    parts = pool_parts(suite, name, role, modality)
    if not parts:
        raise NotOffered(
            f"suite '{suite.name}' has no {name} pool '{role}' for modality '{modality}'"
        )
    gone = {(one.card, one.split) for one in missing_of_pool(suite, name, role, modality)}
    if name != "validation":
        check_licences([part for _, part in parts], suite)
    found: dict[str, Sample] = {}
    uses = []
    for kind, part in parts:
        if (part.card, part.split) in gone:
            continue
        made = _checked([_asked(one, part) for one in _made(part, images=images)], kind, part)
        found.update((sample.id, sample) for sample in made)
        use = DataUse(
            card=part.card, split=part.split, role=role, n=len(made),
            sha256=tables.fingerprint(made), pinned=load_card(part.card).pinned,
        )  # fmt: skip
        uses.append(use)
    content = [role, modality, [use.sha256 for use in uses]]
    return Pool(
        role=role, modality=modality, samples=tuple(found.values()), uses=tuple(uses),
        sha256=digest(cast("list", content)),
    )  # fmt: skip


class Pools:
    """Training pools that were loaded before: thousands of pictures take seconds to draw, or to
    find drawn. Whoever is handed one may not change it."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[object, ...], Pool] = {}

    def load(
        self,
        suite: Suite,
        role: PoolRole,
        modality: PoolModality,
        *,
        images: ImageStore,
        name: PoolName = "train",
    ) -> Pool:
        """The training pool of a role; raises as `load_pool` does."""
        known = (suite.sha256, name, role, modality, images.folder)
        if known not in self._loaded:
            self._loaded[known] = load_pool(suite, name, role, modality, images=images)
        return self._loaded[known]


def check_licences(parts: Iterable[PoolPart], suite: Suite) -> None:
    """Raise `UserError` for a set that nobody may train weights on."""
    for part in parts:
        card = load_card(part.card)
        if card.training == "no":
            raise UserError(
                f"suite '{suite.name}' trains on card '{card.name}', whose licence does not let "
                f"weights be trained on it ({card.licence})"
            )


def licence_notes(pools: Iterable[Pool]) -> list[str]:
    """A line for each set that was learnt from and whose licence does not plainly allow it."""
    names = dict.fromkeys(use.card for pool in pools for use in pool.uses)
    how = {"research": "for research alone", "unknown": "or not, which nobody has found out"}
    return [
        f"Trained on {card.name}: its licence ({card.licence}) lets weights be trained on it "
        f"{how[card.training]}."
        for card in map(load_card, names)
        if card.natural and card.training in how
    ]


def _asked(sample: Sample, part: PoolPart) -> Sample:
    """In the words that the suite gives the part."""
    return sample if part.prompt is None else replace(sample, prompt=part.worded(sample.prompt))


def _made(part: PoolPart, *, images: ImageStore) -> Iterator[Sample]:
    card = load_card(part.card)
    behaviours = tables.load(card, part.split, images=images, limit=part.limit)
    if not part.attacks:
        yield from behaviours
        return
    for name in part.attacks:
        yield from _views(name, behaviours, card, part, images=images)


def _views(
    name: str, behaviours: list[Sample], card: Card, part: PoolPart, *, images: ImageStore
) -> Iterator[Sample]:
    """Each behaviour in `views` variants; neighbours get other ones, so that all phrases occur."""
    attack = registry.load("attack", name)()
    dressed_by = material(card, images=images)
    for index, behaviour in enumerate(behaviours):
        for view in range(part.views):
            yield attack.sample(
                behaviour,
                material=dressed_by,
                phrases="train",
                variant=index * part.views + view,
                purpose="training",
            )


def _checked(made: list[Sample], kind: str, part: PoolPart) -> list[Sample]:
    wrong = [sample.id for sample in made if sample.modality != kind]
    if wrong:
        raise UserError(
            f"card '{part.card}', split '{part.split}' stands under '{kind}' in the suite's pools, "
            f"but sample {wrong[0]} is not of that modality"
        )
    return made
