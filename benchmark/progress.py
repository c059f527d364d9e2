"""Progress bars with rates and time left; a line for each where the output is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
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


class Advance(Protocol):
    """Say how many units are done by now, a few words (a loss, a set's name), and of how many
    where that was not known before."""

    def __call__(self, done: int, words: str, total: int | None = None) -> None: ...


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Units per second so far."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="dim")


class Reporter:
    """Where a run says what it is doing: bars and notes go to standard error, and what took how
    long to the timeline."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.timeline = Timeline()

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
            yield lambda _done, _words, _total=None: None
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
