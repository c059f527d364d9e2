"""Writing into a card what was just fetched: its commit, the digests of its files.

A card is edited as text, at the places that the YAML parser names, and nowhere else: a library that
writes YAML anew would set other line breaks, quotes and spaces. What comes out is read again, and
must be the card as it was but for the values that were put in, or nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from benchmark.core.errors import UserError
from benchmark.core.store import write_atomic
from benchmark.core.strict_yaml import parse_yaml
from benchmark.data.card_sources import FileSource, HubSource, TestbedSource, WebSource
from benchmark.data.cards import Card, load_card
from benchmark.data.place import contained
from benchmark.data.sources import digest_at, hub, web
from benchmark.data.unpacked import unpacked

if TYPE_CHECKING:
    from pydantic import JsonValue as Json

Step = str | int
Place = tuple[Step, ...]
"""Where a value is in a card: keys, and numbers of items."""


def lock(card: Card) -> tuple[str, ...]:
    """Write into the card's file what is not pinned in it and is here; the places that were
    written. Raises `UserError` where the text cannot be edited safely, and leaves it as it was."""
    text = card.path.read_text(encoding="utf-8")
    values = _to_pin(card)
    if not values:
        return ()
    edited = text
    for place, value in values.items():
        edited = _with(edited, place, value, path=card.path)
    _check(text, edited, values, path=card.path)
    write_atomic(card.path, edited)
    load_card(str(card.path))
    return tuple(".".join(map(str, place)) for place in values)


def _to_pin(card: Card) -> dict[Place, str]:
    """What the card leaves open, by its place, of what lies in its folder now."""
    source = card.source
    if isinstance(source, TestbedSource):
        return {}
    if isinstance(source, HubSource):
        revision = hub.fetched(card).revision if source.revision is None else None
        return {("source", "revision"): revision} if revision is not None else {}
    found: dict[Place, str] = {}
    if isinstance(source, WebSource) and source.repo is not None and source.revision is None:
        noted = web.fetched(card)
        if noted is not None and noted.revision is not None:
            found["source", "revision"] = noted.revision
    return found | _digests(card, source)


def _digests(card: Card, source: WebSource | FileSource) -> dict[Place, str]:
    found: dict[Place, str] = {}
    for name, split in card.splits.items():
        if split.sha256 is None:
            path = contained(card.folder, str(split.file), where=f"card '{card.name}'")
            found["splits", name, "sha256"] = digest_at(card, path)
    for number, archive in enumerate(source.archives):
        note = unpacked(card, archive)
        if archive.sha256 is None and note is not None:
            found["source", "archives", number, "sha256"] = note.sha256
    return found


def _with(text: str, place: Place, value: str, *, path: Path) -> str:
    """The text with one value put in: in place of null, or as a new key of its mapping."""
    *above, key = place
    mapping = _node(yaml.compose(text, Loader=yaml.SafeLoader), above, path=path)
    if not isinstance(mapping, yaml.MappingNode):
        raise _not_safe(path, place)
    for name, node in mapping.value:
        if name.value == key:
            start, end = node.start_mark.index, node.end_mark.index
            space = "" if end > start else " "
            return f"{text[:start]}{space}{value}{text[end:]}"
    return _added(text, mapping, str(key), value)


def _added(text: str, mapping: yaml.MappingNode, key: str, value: str) -> str:
    if not mapping.value:
        # Between the braces.
        end = mapping.end_mark.index - 1
        return f"{text[:end]}{key}: {value}{text[end:]}"
    if mapping.flow_style:
        end = mapping.value[-1][1].end_mark.index
        return f"{text[:end]}, {key}: {value}{text[end:]}"
    first = mapping.value[0][0].start_mark
    # Before the first key, which may stand behind the dash of a list's item.
    return f"{text[: first.index]}{key}: {value}\n{' ' * first.column}{text[first.index :]}"


def _node(root: yaml.Node | None, steps: Sequence[Step], *, path: Path) -> yaml.Node:
    node = root
    for step in steps:
        if isinstance(node, yaml.MappingNode):
            node = next((below for name, below in node.value if name.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
        else:
            node = None
    if node is None:
        raise _not_safe(path, tuple(steps))
    return node


def _check(text: str, edited: str, values: dict[Place, str], *, path: Path) -> None:
    """Raise unless the edited text says what the text said, and these values."""
    wanted = parse_yaml(text, where=str(path))
    for place, value in values.items():
        _put(wanted, place, value)
    if parse_yaml(edited, where=str(path)) != wanted:
        raise _not_safe(path, next(iter(values)))


def _put(inside: Json, place: Place, value: str) -> None:
    *above, key = place
    for step in above:
        inside = inside[step]  # type: ignore[index]
    assert isinstance(inside, dict) and isinstance(key, str)
    inside[key] = value


def _not_safe(path: Path, place: Place) -> UserError:
    where = ".".join(map(str, place))
    return UserError(
        f"{path}: {where} cannot be written without changing something else; nothing was written; "
        "write it by hand"
    )
