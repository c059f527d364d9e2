"""A folder of pictures: each file is a row of its path, its name and the folder it lies in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmark.core.errors import UserError
from benchmark.core.store import digest, digest_once

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})


def files(folder: Path) -> list[Path]:
    """All pictures below a folder, sorted by path."""
    return sorted(_found(folder))


def is_empty(folder: Path) -> bool:
    """Is there no picture below it, or no such folder?"""
    return next(_found(folder), None) is None


def _found(folder: Path) -> Iterator[Path]:
    named = (path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    return (path for path in named if path.is_file())


def digest_files(folder: Path) -> str:
    """SHA-256 over the paths below the folder and the bytes of all its pictures, in hex.
    `UserError` where there is none: a digest of nothing pins nothing."""
    found = files(folder)
    if not found:
        raise UserError(f"{folder}: no picture lies in it")
    return digest([[path.relative_to(folder).as_posix(), digest_once(path)] for path in found])


def rows(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """`_image` and `_key` are the path below the folder, `_name` the file's name without its
    ending, `_folder` the first folder on the way, empty where it lies at the top."""
    for path in files(folder):
        below = path.relative_to(folder)
        name = below.as_posix()
        top = below.parts[0] if len(below.parts) > 1 else ""
        yield str(path), {"_image": name, "_key": name, "_name": path.stem, "_folder": top}
