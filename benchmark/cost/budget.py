"""How many device-seconds the runs of one command may take, all attempts counted.

What a stage took stands in its ledger, that of earlier and of killed attempts too, so that the same
command with a larger limit goes on where this one stopped.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from benchmark.core.errors import OverBudget
from benchmark.cost.clock import DeviceUnit
from benchmark.cost.ledger import Ledger

NAMES: dict[DeviceUnit, str] = {"gpu": "GPU-hours", "cpu-core": "CPU-core-hours"}


class Budget:
    """Adds up ledgers, each stage once, over all processes that are forked with it.

    A stage that two of those processes come upon counts for both: then it stops early, not late.
    """

    def __init__(self, limit_s: float | None, *, unit: DeviceUnit = "cpu-core") -> None:
        self.limit_s = limit_s
        self._unit = unit
        self._spent_s = multiprocessing.get_context("fork").Value("d", 0.0)
        self._counted: dict[Path, float] = {}

    @property
    def is_spent(self) -> bool:
        """Has the limit been reached?"""
        return self.limit_s is not None and self._spent_s.value >= self.limit_s

    def found(self, ledger: Path) -> None:
        """A stage that is done already, or was begun before, took what its ledger says."""
        if self.limit_s is not None and ledger.exists():
            totals = Ledger(ledger).totals()
            self.took(ledger, totals.device_s + totals.wasted_s)

    def took(self, ledger: Path, device_s: float) -> None:
        """A stage has taken so many device-seconds by now, in all its attempts."""
        before = self._counted.get(ledger, 0.0)
        with self._spent_s.get_lock():
            self._spent_s.value += device_s - before
        self._counted[ledger] = device_s

    def check(self) -> None:
        """Raise `OverBudget` if the limit has been reached."""
        if self.is_spent:
            raise OverBudget(self.words())

    def words(self) -> str:
        """How much of it is spent, and what to do."""
        assert self.limit_s is not None
        spent = f"{self._spent_s.value / 3600:.3g} of {self.limit_s / 3600:g} {NAMES[self._unit]}"
        return (
            f"{spent} are spent; what was done is kept, and the same command with a larger "
            "--max-gpu-hours goes on from there"
        )


def unlimited() -> Budget:
    """One that never stops anything."""
    return Budget(None)
