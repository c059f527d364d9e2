"""Importing a plugin's module, and saying in one line what went wrong where."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from benchmark.core.errors import RunFailed, UserError

if TYPE_CHECKING:
    from benchmark.core.entries import Entry

# What each module's source was when this process imported it.
_SOURCES: dict[str, str] = {}


def import_plugin(found: Entry, *, ours: bool) -> ModuleType:
    """The module of a plugin; one of `ours` must be the file in this clone.

    A package that is not installed is a `UserError`; anything else that goes wrong while importing
    is a `RunFailed` with the plugin, its file and line, and the cause.
    """
    try:
        module = _import_file(found) if found.module is None else _import_module(found, ours=ours)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{found.kind} '{found.name}' ({found.path}) needs the package '{error.name}', "
            "which is not installed"
        ) from error
    except (UserError, RunFailed):
        raise
    # A plugin may do anything at import, and the boundary has to name it whatever it was.
    except (Exception, SystemExit) as error:
        raise RunFailed(
            f"{found.kind} '{found.name}' cannot be imported: {type(error).__name__}: {error} "
            f"({deepest_line(error, found.path)})"
        ) from error
    return module


def _import_module(found: Entry, *, ours: bool) -> ModuleType:
    assert found.module is not None
    module = importlib.import_module(found.module)
    loaded_from = Path(module.__file__ or "").resolve()
    if ours and loaded_from != found.path.resolve():
        raise UserError(
            f"{found.kind} '{found.name}' should come from {found.path} but Python found "
            f"{loaded_from} first; run from the clone with `python -m benchmark`"
        )
    first = _SOURCES.setdefault(found.module, found.source_sha256)
    if first != found.source_sha256:
        raise UserError(
            f"{found.kind} '{found.name}': {found.path} was edited after this process imported it; "
            "start again"
        )
    return module


def _import_file(found: Entry) -> ModuleType:
    """Import a file by its path, once per content."""
    name = f"vlm_bench_{found.kind}_{found.name}_{found.source_sha256[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, found.path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their own module up while they are being made.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def deepest_line(error: BaseException, path: Path) -> str:
    """`file:line` of the innermost frame inside the plugin, else the plugin's file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    return f"{path}:{lines[-1]}" if lines else str(path)
