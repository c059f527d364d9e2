"""Which code that checkpoints bring along is trusted to run, where a user said that it may."""

from __future__ import annotations

from typing import Any

from benchmark.api import Method
from benchmark.core.errors import UserError
from benchmark.models import ModelCard, load_card
from benchmark.models.own_code import own_classes


def trusted_code(card: ModelCard, method: type[Method[Any]], *, trusts: bool) -> str | None:
    """The classes in code of the checkpoints' own, of each that a run of the method may load;
    None without any, or where the user does not trust them.

    One of the hub is downloaded, since only its files name them. Raises `UserError` for code that
    runs nowhere here.
    """
    if not trusts:
        return None
    others = (*card.golds, card.before_vision if method.starts_from != "target" else None)
    cards = [card, *(load_card(name) for name in others if name is not None)]
    # Transformers has every family that a card can name.
    classes = [name for one in cards if one.family is None for name in _classes_of(one)]
    return ", ".join(dict.fromkeys(classes)) or None


def _classes_of(card: ModelCard) -> tuple[str, ...]:
    folder = card.checkpoint()
    try:
        return own_classes(folder)
    except UserError as error:
        raise UserError(f"model '{card.name}' at {folder} cannot be loaded: {error}") from None
