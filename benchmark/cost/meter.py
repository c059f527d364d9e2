"""The meter that runs while a stage runs."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from typing import Protocol, TypeVar

from benchmark.core.records import StageCost
from benchmark.core.store import StorageError
from benchmark.cost.budget import Budget, unlimited
from benchmark.cost.clock import MemoryWatch, Stopwatch
from benchmark.cost.ledger import Ledger, LedgerLine, Sign

LEDGER = "cost.jsonl"
# Looks at the memory: soon at first, since a stage may be short, then every so often.
FIRST_LOOKS_S = (0.25, 0.25, 0.5, 1.0)
LOOK_EVERY_S = 2.0
WRITE_EVERY_LOOKS = 2
Number = TypeVar("Number", int, float)


Begun = Callable[[Path], None]
"""Told the folder of a stage once it is about to be worked on, not when it is found done."""


def ignore(_folder: Path) -> None:
    """Nobody wants to know."""


class Tokens(Protocol):
    """Tokens that a training loop counted."""

    n_tokens: int
    n_answer_tokens: int


class Owed(Protocol):
    """What a stage pays for beside what its own process takes; a `Lending` is one."""

    def open(self) -> None: ...

    def bill(self) -> tuple[float, float]: ...


class Meter:
    """Writes one stage's seconds to its ledger; what it says also covers earlier attempts.

    `with meter.running(): ...` around the work, `beat()` whenever work was stored from which a
    later attempt goes on, `cost()` when the stage is done. What the stage borrows from `lendings`
    is added to what it took. With a `budget` it begins, and goes on after each `beat`, only while
    there is some left; `OverBudget` otherwise.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str,
        n_devices: int = 1,
        lendings: Sequence[Owed] = (),
        budget: Budget | None = None,
    ) -> None:
        self._path = path
        self._ledger = Ledger(path)
        self._budget = budget or unlimited()
        self._before_s = 0.0
        self._device = device
        self._n_devices = n_devices
        self._lendings = tuple(lendings)
        self._attempt = ""
        self._running: tuple[Stopwatch, MemoryWatch] | None = None
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure what is done inside; an exception leaves as wasted what was not kept."""
        self._budget.found(self._path)
        self._budget.check()
        totals = self._ledger.totals()
        self._before_s = totals.device_s + totals.wasted_s
        self._attempt = uuid.uuid4().hex
        for lending in self._lendings:
            lending.open()
        memory = MemoryWatch(self._device)
        self._running = Stopwatch(self._device, n_devices=self._n_devices), memory
        self._write("start")
        stopped = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(memory, stopped), daemon=True)
        watcher.start()
        sign: Sign = "failed"
        try:
            yield
            sign = "end"
        finally:
            stopped.set()
            watcher.join()
            memory.look()
            self._write(sign)
            self._running = None

    def beat(self) -> None:
        """All that was done so far is stored, and will not be done again. Raises `OverBudget`."""
        self._write("kept")
        self._budget.check()

    def is_overdue(self) -> bool:
        """Has the budget been spent since the last beat? Then it is time for one."""
        if self._budget.limit_s is None or self._running is None:
            return False
        _, device_s = self._running[0].read(wait=False)
        self._budget.took(self._path, self._before_s + device_s)
        return self._budget.is_spent

    def cost(
        self,
        counted: Tokens | None = None,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        flops: float | None = None,
    ) -> StageCost:
        """The stage's cost over all attempts; tokens as `counted` by a training loop, or given."""
        totals = self._ledger.totals()
        return StageCost(
            wall_s=totals.wall_s,
            device_s=totals.device_s,
            wasted_s=totals.wasted_s,
            peak_memory_bytes=totals.peak_memory_bytes,
            input_tokens=counted.n_tokens if counted else input_tokens,
            output_tokens=counted.n_answer_tokens if counted else output_tokens,
            flops=flops,
        )

    def _watch(self, memory: MemoryWatch, stopped: threading.Event) -> None:
        """Look at the memory, and every few looks write that the stage is alive."""
        for n_looks, wait_s in enumerate(chain(FIRST_LOOKS_S, repeat(LOOK_EVERY_S)), start=1):
            if stopped.wait(wait_s):
                return
            memory.look()
            if n_looks % WRITE_EVERY_LOOKS == 0:
                try:
                    self._write("alive")
                except StorageError:
                    # Nobody hears a thread. What is written next meets the same disk, and says so.
                    return

    def _write(self, sign: Sign) -> None:
        assert self._running is not None, "the meter is not running"
        stopwatch, memory = self._running
        with self._lock:
            # A sign of life or of failure is due whatever state the device is in.
            wall_s, device_s = stopwatch.read(wait=sign in ("kept", "end"))
            for lending in self._lendings:
                owed_wall_s, owed_device_s = lending.bill()
                wall_s, device_s = wall_s + owed_wall_s, device_s + owed_device_s
            self._budget.took(self._path, self._before_s + device_s)
            self._ledger.add(
                LedgerLine(
                    attempt=self._attempt,
                    sign=sign,
                    wall_s=wall_s,
                    device_s=device_s,
                    peak_memory_bytes=memory.peak_bytes,
                )
            )


def spent(folder: Path) -> StageCost | None:
    """What all attempts of a stage that is not finished took so far; None if there was none."""
    path = folder / LEDGER
    if not path.exists():
        return None
    totals = Ledger(path).totals()
    return StageCost(
        wall_s=totals.wall_s,
        device_s=totals.device_s,
        wasted_s=totals.wasted_s,
        peak_memory_bytes=totals.peak_memory_bytes,
    )


def total(costs: Iterable[StageCost]) -> StageCost:
    """Costs of parts added up to one; a figure that any part lacks is left out, not taken for 0.

    From the cache only if every part was.
    """
    parts = list(costs)
    peaks = [part.peak_memory_bytes for part in parts if part.peak_memory_bytes is not None]
    return StageCost(
        wall_s=sum(part.wall_s for part in parts),
        device_s=sum(part.device_s for part in parts),
        wasted_s=sum(part.wasted_s for part in parts),
        peak_memory_bytes=max(peaks, default=None),
        input_tokens=_sum(part.input_tokens for part in parts),
        output_tokens=_sum(part.output_tokens for part in parts),
        flops=_sum(part.flops for part in parts),
        from_cache=bool(parts) and all(part.from_cache for part in parts),
    )


def _sum(values: Iterable[Number | None]) -> Number | None:
    """The sum of all, or None if there is none or one is missing."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if known and len(known) == len(found) else None
