"""Checkpoints that are loaded over and over: read from disk once, and copied after that; of their
processors, which nobody changes, there is one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmark.vlm import loading, processors

_whole, _processor = loading._weights, processors.load_processor
_read: dict[tuple[Any, ...], Any] = {}


def copied(folder: Path, *, precision: str, device: str, own_code: bool) -> Any:
    """What the library makes of these very files, never handed out itself."""
    if precision not in loading.DTYPES or own_code:
        return _whole(folder, precision=precision, device=device, own_code=own_code)
    key = (precision, device, *_written(folder))
    if key not in _read:
        _read[key] = _whole(folder, precision=precision, device=device, own_code=own_code)
    return copy.deepcopy(_read[key])


def shared(folder: Path, *, own_code: bool = False) -> Any:
    """The processor of these very files."""
    if own_code:
        return _processor(folder, own_code=own_code)
    key = ("processor", *_written(folder))
    if key not in _read:
        _read[key] = _processor(folder)
    return _read[key]


def _written(folder: Path) -> list[tuple[Any, ...]]:
    files = sorted((path, path.stat()) for path in folder.iterdir())
    return [(path, seen.st_ino, seen.st_size, seen.st_mtime_ns) for path, seen in files]


@contextmanager
def copied_weights() -> Iterator[None]:
    """While it lasts, files that nobody has written since are not read again: what is asked of a
    model is seldom how it was read, and reading takes six times as long as copying."""
    with (
        patch.object(loading, "_weights", copied),
        patch.object(processors, "load_processor", shared),
    ):
        yield
