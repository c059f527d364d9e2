"""Where data come from: one module per kind of source, and `raw_rows` that picks among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.core.errors import MissingError, UserError
from benchmark.core.store import digest, digest_file
from benchmark.data.card_sources import FileSource, Format, WebSource
from benchmark.data.cards import Card
from benchmark.data.sources import (
    array,
    columnar,
    delimited,
    hub,
    image_folder,
    jsonlines,
)

READERS: Mapping[Format, Callable[[Path], Iterator[tuple[str, dict[str, Any]]]]] = {
    "jsonl": jsonlines.rows,
    "json": array.rows,
    "csv": delimited.rows,
    "parquet": columnar.rows,
    "images": image_folder.rows,
}


def raw_rows(card: Card, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and values of every row of a split as its files hold them.

    Raises `MissingError` for files that are not there, `UserError` for what cannot be read.
    """
    if card.source.kind == "hub":
        return hub.rows(card, split)
    path = checked_file(card, split)
    if (part := card.split(split).part) is not None:
        return array.rows(path, part=part)
    return READERS[format_of(card)](path)


def format_of(card: Card) -> Format:
    """What the files of a web or file source hold."""
    assert isinstance(card.source, WebSource | FileSource)
    return card.source.format if isinstance(card.source, WebSource) else card.source.kind


def image_root(card: Card, split: str) -> Path:
    """The folder that names of images in a split are relative to."""
    if card.images is not None:
        return card.folder / card.images
    if card.source.kind == "hub":
        return card.folder
    path = card.split_file(split)
    return path if format_of(card) == "images" else path.parent


def digest_of(card: Card, split: str) -> str:
    """What the split's bytes are known by: the hub's commit, or the files' own digest."""
    if card.source.kind == "hub":
        parts = hub.files_of(card, split)
        named = [
            [config, *([file.path, file.sha256] for file in part.files)] for config, part in parts
        ]
        return digest([hub.fetched(card).revision, *named])
    path = checked_file(card, split)
    # Where the card says it, that it is so has been seen.
    return card.split(split).sha256 or digest_at(card, path)


def digest_at(card: Card, path: Path) -> str:
    """What pins a split of a web or file source that lies here: of a file, or of all pictures."""
    return image_folder.digest_files(path) if format_of(card) == "images" else digest_file(path)


def checked_file(card: Card, split: str) -> Path:
    """The file or folder of a split, there and with the card's checksum."""
    path = card.split_file(split)
    where = f"card '{card.name}', split '{split}'"
    if format_of(card) == "images":
        if not path.is_dir():
            raise MissingError(f"{where}: folder {path} is missing{_remedy(card)}")
        if image_folder.is_empty(path):
            raise UserError(f"{where}: it is empty")
    elif not path.is_file():
        raise MissingError(f"{where}: {path} is missing{_remedy(card)}")
    expected = card.split(split).sha256
    if expected is not None and (found := digest_at(card, path)) != expected:
        raise UserError(
            f"{where}: {path} has SHA-256 {found}, not {expected}; get it again or correct the card"
        )
    return path


def picture_remedy(card: Card) -> str:
    """The end of a line about a picture that a row names and that is not there."""
    obtain = getattr(card.source, "obtain", None)
    return f"; {obtain}" if obtain else _remedy(card)


def _remedy(card: Card) -> str:
    if isinstance(card.source, WebSource):
        return f"; {card.fetch_command} downloads it"
    obtain = getattr(card.source, "obtain", None)
    return f"; {obtain}" if obtain else ""
