"""Checkpoints that are loaded over and over: read from disk once, and copied after that."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmark.vlm import loading

_whole = loading._weights
_read: dict[tuple[Any, ...], Any] = {}


def copied(folder: Path, *, precision: str, device: str, own_code: bool) -> Any:
    """What the library makes of these very files, never handed out itself."""
    if precision not in loading.DTYPES or own_code:
        return _whole(folder, precision=precision, device=device, own_code=own_code)
    files = sorted((path, path.stat()) for path in folder.iterdir())
    written = [(path, seen.st_ino, seen.st_size, seen.st_mtime_ns) for path, seen in files]
    key = (precision, device, *written)
    if key not in _read:
        _read[key] = _whole(folder, precision=precision, device=device, own_code=own_code)
    return copy.deepcopy(_read[key])


@contextmanager
def copied_weights() -> Iterator[None]:
    """While it lasts, files that nobody has written since are not read again: what is asked of a
    model is seldom how it was read, and reading takes six times as long as copying."""
    with patch.object(loading, "_weights", copied):
        yield
