"""What every attempt at a stage took, killed ones included: one line per sign of life.

A process that is killed cannot write how long it ran, so that a running attempt says so every few
seconds. Work up to the last `kept` line of an attempt was stored and is resumed from; what came
after it is wasted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from benchmark.core.records import Stored
from benchmark.core.store import JsonLines

Sign = Literal["start", "alive", "kept", "failed", "end"]


class LedgerLine(Stored):
    """Seconds since the attempt began; `end` also keeps all that was done."""

    attempt: str
    sign: Sign
    wall_s: float = Field(ge=0)
    device_s: float = Field(ge=0)
    peak_memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Kept and wasted seconds over all attempts. `wasted_s` is in device-seconds."""

    wall_s: float
    device_s: float
    wasted_s: float
    peak_memory_bytes: int | None


class Ledger:
    """The log of one stage's attempts."""

    def __init__(self, path: Path) -> None:
        self._lines = JsonLines(path)

    def add(self, line: LedgerLine) -> None:
        """Put a sign of life on disk."""
        self._lines.append([line])

    def totals(self) -> Totals:
        """Over all attempts so far; raises `UserError` for a damaged line."""
        return totals_of(self._lines.read(LedgerLine))


def totals_of(lines: Iterable[LedgerLine]) -> Totals:
    """Sum attempts: seconds up to the last line that kept work, and device-seconds after it."""
    attempts: dict[str, list[LedgerLine]] = {}
    for line in lines:
        attempts.setdefault(line.attempt, []).append(line)
    wall_s = device_s = wasted_s = 0.0
    peaks: list[int] = []
    for signs in attempts.values():
        kept = [line for line in signs if line.sign in ("kept", "end")]
        kept_s = kept[-1].device_s if kept else 0.0
        wall_s += kept[-1].wall_s if kept else 0.0
        device_s += kept_s
        wasted_s += max(line.device_s for line in signs) - kept_s
        peaks += [line.peak_memory_bytes for line in signs if line.peak_memory_bytes is not None]
    return Totals(
        wall_s=wall_s,
        device_s=device_s,
        wasted_s=wasted_s,
        peak_memory_bytes=max(peaks, default=None),
    )
