"""Inputs that must be refused or warned of: how many there were, and what was said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Refuse = Callable[..., str]
Take = Callable[[Sequence[str]], None]


@dataclass
class Tally:
    """How many inputs of each kind there were, and what came of them."""

    given: Counter[str] = field(default_factory=Counter)
    n_named: int = 0
    n_tracebacks: int = 0
    n_dropped: int = 0

    def check(self, kind: str, said: str, *, begins: str, names: str) -> str:
        """The one line that begins so, with the name in it: all else is counted, and fails."""
        self.given[kind] += 1
        lines = [line for line in said.splitlines() if line.startswith(begins)]
        self.n_tracebacks += "Traceback" in said
        self.n_dropped += not lines
        assert "Traceback" not in said, said
        assert len(lines) == 1 and names and names in lines[0], (names, said)
        self.n_named += 1
        return lines[0]

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {n}" for kind, n in self.given.items())
        return (
            f"{self.given.total()} bad inputs ({kinds}): {self.n_named} named in one line, "
            f"{self.n_tracebacks} tracebacks, {self.n_dropped} silent drops"
        )

    def check_all(self, *, at_least: int) -> None:
        """That there were enough, and that each was named."""
        print(self)
        assert self.given.total() == self.n_named >= at_least
        assert self.n_tracebacks == self.n_dropped == 0
