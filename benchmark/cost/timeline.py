"""Where the seconds of a process go, by what it says it is doing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.store import JsonLines, StorageError, writing
from benchmark.core.verdicts import Stored


class Span(Stored):
    """Something that was done. `path` is what it was part of, from the outside in, and itself."""

    path: tuple[str, ...]
    began_at: float
    """Seconds since 1970, so that another process can tell what went before."""
    wall_s: float
    own_s: float
    """Without what was done inside it and has a span of its own."""
    own_core_s: float
    """Processor time of those seconds, of this process and of children that have ended."""


class Timeline:
    """Spans, in `spans` as they end."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._open: list[_Open] = []

    @contextmanager
    def kept_in(self, file: Path | None) -> Iterator[None]:
        """Around all that is done: the spans are added to `file`, if one is named, at the end, so
        that nothing is measured of their writing.

        Raises `StorageError` at once for a file that cannot be written. At the end it never takes
        the place of another exception.
        """
        if file is None:
            yield
            return
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.open("ab").close()
        try:
            yield
        except BaseException:
            with suppress(StorageError):
                JsonLines(file).append(self.spans)
            raise
        JsonLines(file).append(self.spans)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Around what is done; an exception ends it like everything else."""
        mine = _Open(what=what)
        self._open.append(mine)
        began_at, wall_s, core_s = time.time(), time.perf_counter(), processor_s()
        try:
            yield
        finally:
            wall_s, core_s = time.perf_counter() - wall_s, processor_s() - core_s
            path = tuple(one.what for one in self._open)
            self._open.pop()
            if self._open:
                self._open[-1].inside_s += wall_s
                self._open[-1].inside_core_s += core_s
            self.spans.append(
                Span(
                    path=path,
                    began_at=began_at,
                    wall_s=wall_s,
                    own_s=wall_s - mine.inside_s,
                    own_core_s=core_s - mine.inside_core_s,
                )
            )


@dataclass(kw_only=True)
class _Open:
    """What is being done, and what of it was done by spans of their own."""

    what: str
    inside_s: float = 0.0
    inside_core_s: float = 0.0


def processor_s() -> float:
    """Processor seconds of this process, and of children it has waited for."""
    times = os.times()
    # Of this process to the nanosecond; `os.times` counts hundredths.
    return time.process_time() + times.children_user + times.children_system
