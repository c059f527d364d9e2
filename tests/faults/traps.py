"""Traps for a process of the product: they spring at a chosen file operation, before it is done.

Python tells of every file that it is about to open, rename or remove (`sys.addaudithook`), so that
no line of the product is patched. What native code writes by itself (torch, safetensors) is not
told; a trap at the operation before it that fills a small disk reaches that too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Protocol

Kind = Literal["write", "rename", "remove"]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
BALLAST = "ballast"


@dataclass(frozen=True)
class Operation:
    """Something that is about to be done to a file; `path` is relative to the folder watched."""

    kind: Kind
    path: str


class Deed(Protocol):
    """What a trap does when it springs; `folder` is the one watched."""

    def __call__(self, folder: Path) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Kill:
    """SIGKILL for the process and its workers, now or so many seconds later."""

    after_s: float = 0.0

    def __call__(self, folder: Path) -> None:
        if self.after_s:
            threading.Thread(target=self._later, daemon=True).start()
        else:
            self._later()

    def _later(self) -> None:
        time.sleep(self.after_s)
        os.killpg(os.getpgrp(), signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """The operation fails with this error, such as `errno.ENOSPC`."""

    errno: int

    def __call__(self, folder: Path) -> None:
        raise OSError(self.errno, os.strerror(self.errno))


@dataclass(frozen=True, kw_only=True)
class Fill:
    """The disk below the folder has no more than so many bytes left from now on."""

    leaving_bytes: int = 0

    def __call__(self, folder: Path) -> None:
        there = os.statvfs(folder)
        n_bytes = there.f_bavail * there.f_frsize - self.leaving_bytes
        if n_bytes > 0:
            with (folder / BALLAST).open("ab") as stream:
                os.posix_fallocate(stream.fileno(), stream.tell(), n_bytes)


@dataclass(frozen=True, kw_only=True)
class Trap:
    """Springs once, at the `nth` operation of a kind on a path like `pattern` (* is any text)."""

    pattern: str
    deed: Deed
    kind: Kind | None = None
    nth: int = 1

    def takes(self, operation: Operation) -> bool:
        """Is it such an operation?"""
        return self.kind in (None, operation.kind) and fnmatchcase(operation.path, self.pattern)


Hears = Callable[[Operation], None]


def set_traps(folder: Path, traps: Sequence[Trap], *, told: Hears, sprung: Hears) -> None:
    """From now on, in this process and its workers; `told` hears of every operation in `folder`,
    and `sprung` of those at which a trap springs, before it does."""
    sys.addaudithook(_Watch(str(folder), traps, told=told, sprung=sprung))


class _Watch:
    """The hook itself: it is called for everything that Python tells, and must be quick."""

    def __init__(self, folder: str, traps: Sequence[Trap], *, told: Hears, sprung: Hears) -> None:
        self._folder = Path(folder)
        self._prefix = folder.rstrip("/") + "/"
        self._left = {trap: trap.nth for trap in traps}
        self._told = told
        self._sprung = sprung
        self._busy = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", "os.rename", "os.remove") or self._busy:
            return
        operation = self._operation(event, arguments)
        if operation is None:
            return
        self._told(operation)
        for trap in [trap for trap in self._left if trap.takes(operation)]:
            self._left[trap] -= 1
            if self._left[trap] == 0:
                del self._left[trap]
                self._spring(trap, operation)

    def _spring(self, trap: Trap, operation: Operation) -> None:
        self._busy = True
        try:
            self._sprung(operation)
            trap.deed(self._folder)
        finally:
            self._busy = False

    def _operation(self, event: str, arguments: tuple[Any, ...]) -> Operation | None:
        if event == "open":
            return self._at("write", arguments[0]) if _writes(*arguments[1:3]) else None
        if event == "os.rename":
            return self._at("rename", arguments[1])
        return self._at("remove", arguments[0])

    def _at(self, kind: Kind, path: object) -> Operation | None:
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        name = os.fsdecode(path)
        if not name.startswith(self._prefix):
            return None
        return Operation(kind, name.removeprefix(self._prefix))


def _writes(mode: str | None, flags: int | None) -> bool:
    if mode is not None:
        return any(letter in mode for letter in "wax+")
    return bool((flags or 0) & WRITING)
