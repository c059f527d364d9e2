"""Is a data set here? Seen from names and sizes of its files alone; no byte of them is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.core.errors import MissingError, UserError
from benchmark.data.card_sources import Archive, FileSource, HubSource, WebSource
from benchmark.data.cards import Card
from benchmark.data.place import contained
from benchmark.data.sources import format_of, hub, image_folder, web
from benchmark.data.unpacked import is_unpacked, unpacked

N_NAMED = 3
"""Of the files that somebody has to put in place, so many are named."""

State = Literal["present", "missing", "gated", "manual", "incomplete", "moved", "broken"]


@dataclass(frozen=True, kw_only=True)
class Presence:
    """How much of a data set is here, and the one step that mends it.

    `state`: `present`; `missing`, which `fetch` can mend; `gated`, missing until its licence is
    accepted; `manual`, missing and had by hand alone; `incomplete`, some of its files are here;
    `moved`, what is here is another revision than the card's; `broken`, what is here cannot be
    used. `found` says it in words; `remedy` is there unless it is present.
    """

    state: State
    found: str
    remedy: str | None = None

    @property
    def is_here(self) -> bool:
        """Can it be loaded?"""
        return self.state == "present"


def presence(card: Card, splits: Iterable[str] | None = None) -> Presence:
    """Whether the files of these splits (all, if none are named) and the card's archives are here.

    Cheap: nothing is hashed, decoded or asked of a network, and neither checksums nor numbers of
    rows are looked at. Raises `UserError` for a split that the card does not have.
    """
    wanted = list(card.splits if splits is None else splits)
    for split in wanted:
        card.split(split)
    if card.source.kind == "testbed":
        return Presence(state="present", found="made on the fly")
    if card.source.kind == "hub":
        return _of_hub(card, card.source, wanted)
    return _of_files(card, card.source, wanted)


def remedy(card: Card) -> str:
    """The one step that brings a data set of which nothing is here."""
    fetch = card.fetch_command
    if isinstance(card.source, FileSource):
        names = [str(split.file) for split in card.splits.values()]
        archives = [archive.file for archive in card.source.archives]
        named = list(dict.fromkeys(n for n in names if not card.source.packs(n)))
        put = f"put {', '.join((named + archives)[:N_NAMED])} into {card.folder}"
        how = f"{card.source.obtain}; {put}" if card.source.obtain else put
        return f"{how}; then {fetch} unpacks it" if archives else how
    if card.gated:
        return f"{accept(card)}, then {fetch}"
    return fetch


def accept(card: Card) -> str:
    """What a gated set asks for before it can be fetched."""
    repo = getattr(card.source, "repo", None)
    place = f"https://huggingface.co/datasets/{repo}" if repo else card.home or "its home"
    return f"accept its licence at {place} and log in with `hf auth login` or set HF_TOKEN"


def pinning(card: Card) -> str:
    """The one step that pins a data set that is here and is not pinned."""
    anew = card.fetch_with("--again --lock")
    source = card.source
    if isinstance(source, HubSource):
        if hub.fetched(card).revision is None:
            return f"which commit its files are of is not known; {anew} brings them of one"
    elif isinstance(source, WebSource | FileSource):
        if isinstance(source, WebSource) and source.loose and source.base and not source.revision:
            return f"write the commit that its files are of into its card (`revision`), then {anew}"
        if by_hand := [a.file for a in source.archives if not (a.sha256 or unpacked(card, a))]:
            if isinstance(source, WebSource):
                return f"{anew} brings {by_hand[0]} itself and pins it"
            return f"put {by_hand[0]} into {card.folder}, then {card.fetch_with('--lock')}"
    return f"{card.fetch_with('--lock')} pins what is here"


def _of_hub(card: Card, source: HubSource, splits: list[str]) -> Presence:
    try:
        for split in splits:
            hub.files_of(card, split)
    except MissingError:
        return _short(card)
    except UserError as error:
        return Presence(
            state="broken", found=str(error), remedy=f"{card.fetch_with('--again')} gets it anew"
        )
    if (lost := _lost_pictures(card, source, splits)) is not None:
        return lost
    return Presence(state="present", found=hub.known_revision(hub.fetched(card).revision))


def _short(card: Card) -> Presence:
    """What to say of a hub set of which something is missing."""
    if not hub.place_of(card).is_file():
        return _nothing(card)
    fetch = card.fetch_command
    try:
        hub.fetched(card)
    except MissingError:
        return Presence(state="moved", found="another revision than the card's", remedy=fetch)
    return Presence(state="incomplete", found="some files are missing", remedy=fetch)


def _of_files(card: Card, source: WebSource | FileSource, splits: list[str]) -> Presence:
    try:
        files = _files(card, source, splits)
        gone = [path for path in files if not _is_there(card, path)]
        folded = [
            one
            for one in source.archives
            if not is_unpacked(card, one) and _needs(card, one, splits)
        ]
    except UserError as error:
        return Presence(state="broken", found=str(error), remedy="correct its card or the folder")
    if not gone and not folded:
        lost = _lost_pictures(card, source, splits)
        return lost or _here(card, source, n_files=len(files))
    if len(gone) == len(files):
        return _nothing(card)
    first = str(gone[0]) if gone else str(card.folder / folded[0].file)
    return Presence(state="incomplete", found=f"{first} is missing", remedy=remedy(card))


def _shows(card: Card, splits: list[str]) -> bool:
    """Does any of these splits show pictures?"""
    read = [card.split(split) for split in splits]
    return any("image" in one.columns or "image" in one.fixed for one in read)


def _needs(card: Card, archive: Archive, splits: list[str]) -> bool:
    """An archive is needed for its pictures, or for a file of a split's in it."""
    return _shows(card, splits) or any(archive.holds(str(card.splits[s].file)) for s in splits)


def _lost_pictures(
    card: Card, source: HubSource | WebSource | FileSource, splits: list[str]
) -> Presence | None:
    """What to say where rows are here and their pictures are not, as far as that is seen without
    reading them."""
    if not _shows(card, splits):
        return None
    found = web.fetched(card) if isinstance(source, WebSource) else None
    if isinstance(source, WebSource) and source.loose and found is not None:
        rows = {str(split.file) for split in card.splits.values()}
        if set(found.files) <= rows:
            return Presence(
                state="incomplete", found="its pictures are missing", remedy=card.fetch_command
            )
    folder = card.folder / card.images if card.images is not None else None
    if source.obtain is not None and folder is not None and not _is_filled(folder):
        lay = f"{source.obtain}; put them into {folder}"
        return Presence(state="incomplete", found="its pictures are missing", remedy=lay)
    return None


def _is_filled(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _here(card: Card, source: WebSource | FileSource, *, n_files: int) -> Presence:
    found = web.fetched(card) if isinstance(source, WebSource) else None
    wanted = source.revision if isinstance(source, WebSource) else None
    if found is not None and wanted is not None and found.revision not in (None, wanted):
        return Presence(
            state="moved", found="another revision than the card's", remedy=card.fetch_command
        )
    return Presence(state="present", found=f"{n_files} {'file' if n_files == 1 else 'files'}")


def _nothing(card: Card) -> Presence:
    if isinstance(card.source, FileSource):
        return Presence(state="manual", found="missing, had by hand alone", remedy=remedy(card))
    if card.gated:
        return Presence(state="gated", found="missing, and gated", remedy=remedy(card))
    return Presence(state="missing", found="missing", remedy=remedy(card))


def _files(card: Card, source: WebSource | FileSource, splits: list[str]) -> list[Path]:
    """Where the files of the splits lie, each once; of a set of pictures, their folders."""
    where = f"card '{card.name}'"
    names = dict.fromkeys(str(card.splits[split].file) for split in splits)
    return [contained(card.folder, name, where=where) for name in names]


def _is_there(card: Card, path: Path) -> bool:
    if format_of(card) == "images":
        return not image_folder.is_empty(path)
    return path.is_file()
