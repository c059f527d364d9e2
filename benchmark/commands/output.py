"""Printing for people and for programs; it survives a reader who leaves (`... | head`).

What a command found is printed as JSON through the very type that `schema` describes it by.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from rich.console import Console

    FoundT = TypeVar("FoundT")

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON; `schema` says what is in it.")
]
_RUNS = "benchmark.core.found:RunsEnded"
_DRAWN = "benchmark.core.found:Drawn"
# Where the type of each command's output lies; of a list, that of its items.
TYPES = {
    "run": _RUNS,
    "train": _RUNS,
    "generate": _RUNS,
    "judge": _RUNS,
    "score": _RUNS,
    "judge-quality": "list of benchmark.tables.judges.measured:Measured",
    "study": _RUNS,
    "durability": "benchmark.core.durability_records:Durability",
    "plan": "benchmark.planning.planned:Planned",
    "search": "list of benchmark.core.found:Searched",
    "check": "list of benchmark.checks.outcome:Outcome",
    "new-method": "benchmark.core.found:NewMethod",
    "table": "benchmark.core.found:Boards",
    "publish": "benchmark.core.found:Publication",
    "show": "benchmark.tables.one_run.build:RunShown",
    "compare": "benchmark.tables.changes.build:Changes",
    "ask": "benchmark.core.found:Asked",
    "export": "benchmark.core.found:Exported",
    "utility": "benchmark.outside.record:UtilityMeasured",
    "serve": "benchmark.core.found:Offered",
    "reproduce": "benchmark.tables.reproduced:Reproduced",
    "plot run": _DRAWN,
    "plot tokens": _DRAWN,
    "plot gate": _DRAWN,
    "plot alignment": _DRAWN,
    "speed step": "benchmark.speed.figures:StepFigures",
    "speed run": "benchmark.speed.figures:WholeFigures",
    "speed engines": "benchmark.speed.figures:EnginesFigures",
    "speed pictures": "benchmark.cost.sweep:PictureFigures",
    "speed data": "benchmark.speed.figures:DataFigures",
    "list": "list of benchmark.core.entries:Entry",
    "doctor": "list of benchmark.doctor:Check",
    "fetch": "list of benchmark.core.found:SetFetched",
    "clean": "benchmark.core.found:Cleaned",
    "testbed": "benchmark.core.found:TestbedTrained",
    # What `judge` prints where judges are named.
    "rejudged": "list of benchmark.core.found:Rejudged",
    # Not a command, but what most programs want to read.
    "record": "benchmark.core.records:RunRecord",
}


def report(
    command: str,
    found: FoundT,
    words: Callable[[FoundT], str],
    *,
    as_json: bool,
    indent: int | None = 2,
) -> None:
    """Print what a command found, for a program or in words."""
    if as_json:
        show_json(command, found, indent=indent)
    else:
        show(words(found))


def show_json(command: str, found: object, *, indent: int | None = 2) -> None:
    """Print what a command found as JSON; without an indent on one line."""
    show(adapter_of(command).dump_json(found, indent=indent).decode())


def drawn(printing: Callable[[Console, FoundT], None]) -> Callable[[FoundT], str]:
    """As text, what prints itself on a console of the terminal's width."""

    def words(found: FoundT) -> str:
        from rich.console import Console

        console = Console(highlight=False)
        with console.capture() as said:
            printing(console, found)
        return said.get().rstrip("\n")

    return words


def adapter_of(command: str) -> TypeAdapter[Any]:
    """What reads and writes the output of a command."""
    from pydantic import TypeAdapter

    place = TYPES[command].removeprefix("list of ")
    module, name = place.split(":")
    item: Any = getattr(import_module(module), name)
    return TypeAdapter(item if place == TYPES[command] else _list_of(item))


def _list_of(item: Any) -> Any:
    return list[item]


def show(text: str) -> None:
    """Print now. When nobody reads any more, the rest is dropped without a word."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python would complain once more when it closes the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """A line for the user beside the output, one whatever names and messages hold."""
    plain = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    print(plain, file=sys.stderr, flush=True)
