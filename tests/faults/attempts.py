"""A command that is killed over and over, each attempt held against what the last one left."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faults.kept import (
    Kept,
    check_done_stays,
    check_training,
    kept_in,
    n_asked_again,
    n_lost,
)
from faults.moments import Aim, Course
from faults.outcome import check_whole
from faults.product import Ended, Product
from faults.traps import Operation, Trap


@dataclass
class Tally:
    """What was hit, and what became of the work that was on disk then."""

    hits: list[Aim] = field(default_factory=list)
    n_lost: int = 0
    n_asked_again: int = 0
    n_resumed: int = 0

    def __str__(self) -> str:
        stages = Counter(aim.stage for aim in self.hits)
        aims = Counter(map(str, self.hits))
        lines = [
            f"{len(self.hits)} kills: {', '.join(f'{name} {n}' for name, n in stages.items())}"
        ]
        return "\n  ".join([*lines, *(f"{name}: {n}" for name, n in sorted(aims.items()))])


@dataclass(kw_only=True)
class Attempts:
    """All attempts in one folder. `asked` is what models were asked, by stage."""

    product: Product
    folder: Path
    tally: Tally
    asked: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def kill_at(
        self,
        aims: Sequence[Aim],
        command: Sequence[str],
        undisturbed: Sequence[Operation],
        *,
        draw: random.Random,
    ) -> list[Aim]:
        """Have the command killed at each aim, in its own order, and then let it finish. Returns
        the aims that were missed, since the blink after an earlier one went past them."""
        course, missed = Course(undisturbed), []
        for moment in course.moments(aims, draw=draw):
            trap = course.trap(moment)
            if trap is None:
                missed.append(moment.aim)
                continue
            ended = self._attempt(command, trap)
            course.told(ended.operations)
            (self.tally.hits if ended.killed else missed).append(moment.aim)
        ended = self._attempt(command)
        assert ended.code == 0, ended.err
        return missed

    def check_heard(self) -> None:
        """Of each answer it was heard that a model was asked: who hears nothing counts nothing."""
        answers = kept_in(self.folder).answers
        ids = {stage: {answer.sample_id for answer in log} for stage, log in answers.items()}
        assert self.asked == ids

    def _attempt(self, command: Sequence[str], trap: Trap | None = None) -> Ended:
        before = kept_in(self.folder)
        ended = self.product.run(command, folder=self.folder, traps=[trap] if trap else [])
        if trap:
            assert ended.sprung, f"{trap} did not spring, {ended.code}: {ended.err}"
            # A blink after its last operations the command may be done.
            assert ended.killed or ended.code == 0, ended.err
        check_whole(self.folder)
        self._hold(before, ended)
        return ended

    def _hold(self, before: Kept, ended: Ended) -> None:
        after = kept_in(self.folder)
        self.tally.n_lost += n_lost(before, after)
        self.tally.n_asked_again += n_asked_again(before, ended)
        self.tally.n_resumed += check_training(before, after)
        check_done_stays(before, ended)
        for batch in ended.asked:
            self.asked[batch.stage] |= batch.sample_ids
