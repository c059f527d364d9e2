"""What each term of a loss was at each step, on disk."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

from benchmark.core.records import StepLog
from benchmark.core.store import JsonLines, write_atomic
from benchmark.training.step import LossValues

LOSSES = ".losses.jsonl"


class LossLog:
    """Every term of every step. Written before each checkpoint; later steps of a killed attempt
    are dropped when it is opened again, since they will be taken again. Without a path nothing is
    written."""

    def __init__(self, path: Path | None, *, first_step: int) -> None:
        self._lines = JsonLines(path) if path is not None else None
        self._waiting: list[StepLog] = []
        if path is not None and self._lines is not None:
            kept = [line for line in self._lines.read(StepLog) if line.step < first_step]
            write_atomic(path, "".join(line.model_dump_json() + "\n" for line in kept))

    def add(self, step: int, seen: LossValues) -> None:
        """Remember one step."""
        kept = {name: value if isfinite(value) else None for name, value in seen.terms.items()}
        self._waiting.append(StepLog(step=step, total=seen.total, terms=kept))

    def flush(self) -> None:
        """Put what is remembered on disk."""
        if self._lines is not None:
            self._lines.append(self._waiting)
        self._waiting = []
