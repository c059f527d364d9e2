"""What `list models` says of a card: its family, its size and its licence, or why it is broken."""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod
from pathlib import Path

from benchmark.core.entries import Entry
from benchmark.core.errors import UserError
from benchmark.cost.parameters import parts_of
from benchmark.models import ModelCard, load_card
from benchmark.tables.cells import MISSING

OWN_CODE = "own code"
"""In place of a family that is not known here."""
_LENGTH_BYTES = 8
"""What a file of safetensors begins with: how long its header is, little-endian."""


def with_card(entry: Entry) -> Entry:
    """The entry of a model with what its card says; one that cannot be read is its problem."""
    if entry.problem:
        return entry
    try:
        card = load_card(entry.name)
    except UserError as error:
        return replace(entry, problem=str(error))
    size = n_parameters(card)
    facts = {
        "family": card.family or OWN_CODE,
        "parameters": MISSING if size is None else in_words(size),
        "licence": card.licence,
    }
    if card.made_here and card.found() is None:
        return replace(entry, facts=facts, note=f"not made here yet; {card.remedy}")
    return replace(entry, facts=facts)


def n_parameters(card: ModelCard) -> int | None:
    """As its card's sizes say, else as its weights here do; None where neither is there."""
    if card.shape is not None and card.family is not None:
        return parts_of(card.family, card.shape).parameters
    folder = card.found()
    files = sorted(folder.glob("*.safetensors")) if folder is not None else []
    return sum(map(_n_stored, files)) or None


def in_words(n: int) -> str:
    """`7.1 B`, `3.2 M`."""
    return f"{n / 1e9:.1f} B" if n >= 0.99995e9 else f"{n / 1e6:.1f} M"


def _n_stored(path: Path) -> int:
    """Read off the file's header alone; 0 for one that has none, which loading it will say."""
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
            # A damaged file may say any length.
            header = json.loads(stream.read(min(length, path.stat().st_size)))
        return sum(prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return 0
