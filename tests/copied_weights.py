"""Checkpoints that are loaded over and over: read from disk once, and copied after that. Models
share a processor: a test that changes one changes it back."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmark.vlm import loading, processors

_whole, _processor = loading._weights, processors.load_processor
_read: dict[tuple[Any, ...], Any] = {}
# Of what tests write for themselves not all is kept: a few megabytes each.
N_KEPT = 40


def copied(folder: Path, *, precision: str, device: str, own_code: bool) -> Any:
    """What the library makes of these very files, never handed out itself."""
    if precision not in loading.DTYPES or own_code:
        return _whole(folder, precision=precision, device=device, own_code=own_code)
    key = (precision, device, *_written(folder))
    read = partial(_whole, folder, precision=precision, device=device, own_code=own_code)
    return _once(key, lambda: _Kept(read())).copied()


class _Kept:
    """A model, to be copied: `copy.deepcopy` of its modules takes four times as long as reading
    them from a pickle in which its tensors are left out."""

    def __init__(self, model: Any) -> None:
        modules = io.BytesIO()
        pickler = _Pickler(modules, protocol=pickle.HIGHEST_PROTOCOL)
        pickler.dump(model)
        self._modules, self._tensors = modules.getvalue(), pickler.tensors

    def copied(self) -> Any:
        """A new one, whose tensors are its own; those that were tied are tied."""
        unpickler = _Unpickler(io.BytesIO(self._modules))
        unpickler.tensors = copy.deepcopy(self._tensors)
        return unpickler.load()


class _Pickler(pickle.Pickler):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.tensors: dict[int, torch.Tensor] = {}

    def persistent_id(self, found: Any) -> int | None:
        if not isinstance(found, torch.Tensor):
            return None
        self.tensors[id(found)] = found
        return id(found)


class _Unpickler(pickle.Unpickler):
    tensors: dict[int, torch.Tensor]

    def persistent_load(self, number: int) -> torch.Tensor:
        return self.tensors[number]


def shared(folder: Path, *, own_code: bool = False) -> Any:
    """The processor of these very files."""
    if own_code:
        return _processor(folder, own_code=own_code)
    return _once(("processor", *_written(folder)), partial(_processor, folder))


def _once(key: tuple[Any, ...], read: Callable[[], Any]) -> Any:
    _read[key] = found = _read.pop(key) if key in _read else read()
    while len(_read) > N_KEPT:
        del _read[next(iter(_read))]
    return found


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
