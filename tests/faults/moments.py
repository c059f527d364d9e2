"""Moments at which to kill a run, drawn from all that an undisturbed one does to its files.

What native code writes by itself (tensors) no operation tells of: a kill a blink after one reaches
into that too. Locks are no moments, since they hold nothing; neither is the removal of a temporary
file that was renamed.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from faults.small_run import ROW
from faults.traps import Kill, Kind, Operation, Trap

BLINK_S = 0.002
TRAIN, GENERATE, JUDGE = (
    f"results/local/stages/{stage}/*" for stage in ("train", "generate", "judge")
)
RECORDS, PUBLISHED = "results/local/records", "results/published"


@dataclass(frozen=True)
class Aim:
    """A kind of operation on a kind of file, in a stage."""

    stage: str
    kind: Kind
    file: str
    pattern: str

    def takes(self, operation: Operation) -> bool:
        """Is it such an operation?"""
        return self.kind == operation.kind and fnmatchcase(operation.path, self.pattern)

    def __str__(self) -> str:
        return f"{self.stage}: {self.kind} {self.file}"


# A training with a log of losses is the method's own.
WHILE_RUNNING = [
    Aim("training", "write", "ledger", f"{TRAIN}/cost.jsonl"),
    Aim("training", "rename", "log of losses", f"{TRAIN}/train.losses.jsonl"),
    *[Aim("training", "write", "log of losses", f"{TRAIN}/train.losses.jsonl")] * 2,
    *[Aim("training", "rename", "checkpoint", f"{TRAIN}/train.checkpoint.pt")] * 2,
    Aim("training", "write", "artifact", f"{TRAIN}/adapter_config.json"),
    Aim("training", "rename", "artifact", f"{TRAIN}/delta.json"),
    Aim("training", "rename", "manifest", f"{TRAIN}/manifest.json"),
    Aim("training", "remove", "checkpoint", f"{TRAIN}/train.checkpoint.pt"),
    Aim("generation", "write", "picture", "results/local/images/*"),
    Aim("generation", "rename", "picture", "results/local/images/*"),
    Aim("generation", "write", "ledger", f"{GENERATE}/cost.jsonl"),
    *[Aim("generation", "write", "answers", f"{GENERATE}/answers.jsonl")] * 5,
    Aim("generation", "write", "manifest", f"{GENERATE}/.manifest.json.*"),
    Aim("generation", "rename", "manifest", f"{GENERATE}/manifest.json"),
    Aim("judging", "write", "ledger", f"{JUDGE}/cost.jsonl"),
    *[Aim("judging", "write", "verdict log", f"{JUDGE}/verdicts.jsonl")] * 4,
    Aim("judging", "remove", "verdict log", f"{JUDGE}/verdicts.jsonl"),
    Aim("judging", "write", "manifest", f"{JUDGE}/.manifest.json.*"),
    Aim("judging", "rename", "manifest", f"{JUDGE}/manifest.json"),
    Aim("record", "write", "verdict table", f"{RECORDS}/*/.0.verdicts.csv.gz.*"),
    Aim("record", "rename", "own verdict table", f"{RECORDS}/*/{ROW}/0.verdicts.csv.gz"),
    Aim("record", "write", "record", f"{RECORDS}/*/.0.json.*"),
    Aim("record", "rename", "own record", f"{RECORDS}/*/{ROW}/0.json"),
]
WHILE_PUBLISHING = [
    Aim("publishing", "write", "verdict table", f"{PUBLISHED}/*/.0.verdicts.csv.gz.*"),
    Aim("publishing", "rename", "own verdict table", f"{PUBLISHED}/*/{ROW}/0.verdicts.csv.gz"),
    Aim("publishing", "write", "record", f"{PUBLISHED}/*/.0.json.*"),
    Aim("publishing", "rename", "own record", f"{PUBLISHED}/*/{ROW}/0.json"),
    *[Aim("table", "write", "board", "*leaderboard/*")] * 2,
    *[Aim("table", "rename", "board", "*leaderboard/*")] * 2,
]


@dataclass(frozen=True)
class Moment:
    """An operation among those of an undisturbed command, by its place, or a blink after it."""

    place: int
    aim: Aim
    after_s: float


class Course:
    """How far a command got that is killed and begun again, on the course of an undisturbed one."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = [_of_any_process(operation) for operation in operations]
        self._told: Counter[Operation] = Counter()

    def told(self, operations: Sequence[Operation]) -> None:
        """What one attempt did."""
        self._told.update(map(_of_any_process, operations))

    def moments(self, aims: Sequence[Aim], *, draw: random.Random) -> list[Moment]:
        """One for each aim, in the order in which the command comes to them."""
        moments: dict[int, Moment] = {}
        for aim in aims:
            places = [place for place in self._places(aim) if place not in moments]
            place = draw.choice(places)
            after_s = draw.choice((0.0, draw.uniform(0.0, BLINK_S)))
            moments[place] = Moment(place, aim, after_s)
        return [moment for _, moment in sorted(moments.items())]

    def trap(self, moment: Moment) -> Trap | None:
        """Springs in the next attempt at that moment; None where an earlier one came past it."""
        operation = self._operations[moment.place]
        n_before = self._operations[: moment.place].count(operation)
        if n_before < self._told[operation]:
            return None
        return Trap(
            pattern=operation.path,
            kind=operation.kind,
            nth=n_before - self._told[operation] + 1,
            deed=Kill(after_s=moment.after_s),
        )

    def _places(self, aim: Aim) -> list[int]:
        """Of a ledger only the first line: others come by the clock, and not in every attempt."""
        return [
            place
            for place, operation in enumerate(self._operations)
            if aim.takes(operation)
            and (aim.file != "ledger" or operation not in self._operations[:place])
        ]


def _of_any_process(operation: Operation) -> Operation:
    """Temporary files bear the number of their process."""
    return Operation(operation.kind, re.sub(r"\.\d+\.tmp$", ".*.tmp", operation.path))
