"""Progress bars with rates and time left; where the output is no terminal a line for each, and one
a minute for what takes long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from benchmark.cost.timeline import Timeline

# Of a log that somebody looks into now and then.
LINE_EVERY_S = 60.0
Clock = Callable[[], float]


class Advance(Protocol):
    """Say how many units are done by now, a few words (a loss, a set's name), and of how many
    where that was not known before."""

    def __call__(self, done: int, words: str, total: int | None = None) -> None: ...


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Units per second so far."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="dim")


class _Lines:
    """A bar in words: `train: 120 of 500, loss 0.713, about 3 min left`."""

    def __init__(self, label: str, *, total: int, done: int, clock: Clock) -> None:
        self._label, self._total, self._clock = label, total, clock
        self._told_at = clock()
        # Since when time left is reckoned: not before the first units, which may be found done.
        self._first: tuple[int, float] | None = None
        self._done = done

    def line(self, done: int, words: str, total: int | None = None) -> str | None:
        """What there is to say of this advance; None within a minute of the last line."""
        now = self._clock()
        total = total or self._total
        if self._first is None or done <= self._done:
            # The first advance, or that of another phase, which is counted anew.
            self._first = (done, now)
        self._done = done
        if now - self._told_at < LINE_EVERY_S:
            return None
        self._told_at = now
        left = self._left(done, total, now)
        return ", ".join(filter(None, [f"{self._label}: {done} of {total}", words, left]))

    def _left(self, done: int, total: int, now: float) -> str | None:
        assert self._first is not None
        n, seconds = done - self._first[0], now - self._first[1]
        if not n or seconds <= 0 or done >= total:
            return None
        return f"about {round((total - done) * seconds / n / 60) or 'half a'} min left"


class Reporter:
    """Where a run says what it is doing: bars and notes go to standard error, and what took how
    long to the timeline."""

    def __init__(self, *, quiet: bool = False, clock: Clock = time.monotonic) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.timeline = Timeline()
        self._clock = clock

    def note(self, text: str) -> None:
        """One line, terminal or not."""
        # A name may hold brackets, which would be taken for a style.
        self.console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def bar(self, label: str, *, total: int, done: int = 0) -> Iterator[Advance]:
        """A bar for `total` units of which `done` were there before."""
        if not self.console.is_terminal:
            # Whoever reads a log wants to know that it goes on, and with what.
            if total:
                self.note(label)
            lines = _Lines(label, total=total, done=done, clock=self._clock)

            def advance(done: int, words: str, total: int | None = None) -> None:
                if (line := lines.line(done, words, total)) is not None:
                    self.note(line)

            yield advance
            return
        columns = (
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}", style="dim"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(label, total=total, completed=done, words="")
            yield lambda now, words, of=None: progress.update(
                task, completed=now, words=words, total=of or progress.tasks[task].total
            )
