"""Where the seconds of a process go, by what it says it is doing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark.core.store import JsonLines
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
    """Spans as they end, in `spans` and as lines of a file where one is named."""

    def __init__(self, file: Path | None = None) -> None:
        self.spans: list[Span] = []
        self._lines = JsonLines(file) if file is not None else None
        self._open: list[_Open] = []

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Around what is done; an exception ends it like everything else."""
        mine = _Open(what=what)
        self._open.append(mine)
        began_at, wall_s, core_s = time.time(), time.perf_counter(), _core_s()
        try:
            yield
        finally:
            wall_s, core_s = time.perf_counter() - wall_s, _core_s() - core_s
            path = tuple(one.what for one in self._open)
            self._open.pop()
            if self._open:
                self._open[-1].inside_s += wall_s
                self._open[-1].inside_core_s += core_s
            self._keep(
                Span(
                    path=path,
                    began_at=began_at,
                    wall_s=wall_s,
                    own_s=wall_s - mine.inside_s,
                    own_core_s=core_s - mine.inside_core_s,
                )
            )

    def _keep(self, span: Span) -> None:
        self.spans.append(span)
        if self._lines is not None:
            self._lines.append([span])


@dataclass(kw_only=True)
class _Open:
    """What is being done, and what of it was done by spans of their own."""

    what: str
    inside_s: float = 0.0
    inside_core_s: float = 0.0


def _core_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
