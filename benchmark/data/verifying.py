"""Do the bytes that are here have the digests that they must have? Reads all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.core.errors import UserError
from benchmark.core.store import digest_file
from benchmark.data.card_sources import FileSource, HubSource, WebSource
from benchmark.data.cards import Card
from benchmark.data.place import contained
from benchmark.data.sources import format_of, hub, image_folder


def wrong_files(card: Card) -> list[str]:
    """A line with both digests for each file, or folder of pictures, that is here with another one
    than the card, or the hub when it was fetched, says."""
    return [
        f"{path} has SHA-256 {found}, not {expected}"
        for path, expected in dict(_expected(card)).items()
        if (found := _found(card, path)) not in (None, expected)
    ]


def _found(card: Card, path: Path) -> str | None:
    """Nothing of what is not here: others say that."""
    if not isinstance(card.source, HubSource) and format_of(card) == "images":
        return None if image_folder.is_empty(path) else image_folder.digest_files(path)
    return digest_file(path) if path.is_file() else None


def _expected(card: Card) -> Iterator[tuple[Path, str]]:
    where = f"card '{card.name}'"
    if isinstance(card.source, HubSource):
        for split in card.splits:
            for _, part in _parts(card, split):
                for file in part.files:
                    if file.sha256 is not None:
                        yield contained(card.folder, file.path, where=where), file.sha256
    if isinstance(card.source, WebSource | FileSource):
        for named in card.splits.values():
            if named.sha256 is not None:
                yield contained(card.folder, str(named.file), where=where), named.sha256


def _parts(card: Card, split: str) -> list[tuple[str, hub.FetchedSplit]]:
    try:
        return hub.files_of(card, split)
    except UserError:
        # That it is not here is found and said elsewhere.
        return []
