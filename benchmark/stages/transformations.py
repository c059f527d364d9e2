"""What made a suite's attacks: code, parameters, phrases and fonts, each with one digest.

The pictures themselves are kept by their pixels; this says what they were drawn by, and names what
stands in where a paper's font is not installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import JsonValue

from benchmark.api import Attack
from benchmark.attacks import _dressed, _instead
from benchmark.attacks._dressed import DressedAttack
from benchmark.attacks._instead import PictureInstead
from benchmark.core import registry
from benchmark.core.attack_records import Transformation
from benchmark.core.rows import split_row
from benchmark.core.sources import digest_code
from benchmark.core.store import digest
from benchmark.data.cards import load_card
from benchmark.data.images import ImageStore
from benchmark.data.material import Material
from benchmark.data.materials import material
from benchmark.stages.forms import attack_of, form_name
from benchmark.suites import Evaluation


def transformations(evaluation: Evaluation, *, images: ImageStore) -> list[Transformation]:
    """Every attack on every card that is attacked or holds twins, in the suite's order; rows that
    are attacks already are transformed by nothing."""
    pairs = dict.fromkeys(
        (part.card, attack)
        for part in (*evaluation.attacked, *evaluation.twins)
        if part.form is None
        for attack in part.forms(evaluation.attacks)
    )
    worlds = {
        card: material(load_card(card), images=images) for card in {card for card, _ in pairs}
    }
    forms = {row: _Form.of(row) for row in {row for _, row in pairs}}
    return [_made(forms[row], card, worlds[card]) for card, row in pairs]


def transformation(attack: str, card: str, *, images: ImageStore) -> Transformation:
    """One attack on one card."""
    return _made(_Form.of(attack), card, material(load_card(card), images=images))


@dataclass(frozen=True, kw_only=True)
class _Form:
    """An attack under its settings, and the digests of its own code and of what it shares."""

    row: str
    attack: Attack[Any]
    source_sha256: str
    shared: tuple[str, ...]

    @classmethod
    def of(cls, row: str) -> _Form:
        entry = registry.entry("attack", split_row(row)[0])
        shared = tuple(digest_code(Path(str(one.__file__))) for one in (_dressed, _instead))
        return cls(row=row, attack=attack_of(row), source_sha256=entry.source_sha256, shared=shared)


def _made(form: _Form, card: str, world: Material) -> Transformation:
    made = form.attack
    parameters = cast("dict[str, JsonValue]", dict(made.parameters))
    notes: list[str] = []
    if isinstance(made, DressedAttack | PictureInstead):
        parameters["made_with"] = cast("JsonValue", dict(made.made_with(world)))
        notes = [f"{form.row}: {note}" for note in made.notes(world)]
    content: list[JsonValue] = [form.source_sha256, *form.shared, parameters]
    return Transformation(
        attack=form_name(form.row), card=card, source_sha256=form.source_sha256,
        parameters=parameters, notes=notes, sha256=digest(content),
    )  # fmt: skip


def notes_of(made: Iterable[Transformation]) -> list[str]:
    """What a record says of them, each sentence once."""
    return list(dict.fromkeys(note for one in made for note in one.notes))
