"""How a step's batch is divided: into micro-batches, and these among processes.

A method's batch size is the effective one, whatever it is computed on. A step's loss is the mean
over its micro-batches, so that only their size can move a number, never how many processes there
are: what is drawn in a micro-batch follows from seed, phase, step and its place in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from benchmark.core.errors import UserError
from benchmark.core.method_config import TrainingConfig
from benchmark.training.draws import seed_all

Item = TypeVar("Item")


@dataclass(frozen=True)
class Part:
    """One of the equal parts of a batch, in its order."""

    index: int = 0
    n: int = 1

    def of(self, items: Sequence[Item]) -> list[Item]:
        """Its items; their number is a multiple of `n`."""
        size, rest = divmod(len(items), self.n)
        assert not rest, "a plan gives each part as many"
        return list(items[self.index * size : (self.index + 1) * size])

    @property
    def label(self) -> str:
        """What its random generators are seeded with beside the step; a whole batch has none."""
        return f"/part {self.index} of {self.n}" if self.n > 1 else ""

    def seed(self, seed: int, *, phase: str, step: int) -> None:
        """Seed all generators for it, whoever computes it; a whole batch draws on as it did."""
        if self.n > 1:
            seed_all(_number(f"{seed}/{phase}/step {step}{self.label}"))


WHOLE = Part()


@dataclass(frozen=True, kw_only=True)
class Division:
    """The parts that one process computes of every batch of a phase, one after another.

    Without micro-batches every process computes the whole batch, and all come to the same.
    """

    batch_size: int
    n_parts: int
    n_processes: int
    mine: tuple[Part, ...]

    @classmethod
    def of(cls, config: TrainingConfig, phase: str, *, index: int, n_processes: int) -> Division:
        """That of the process with this index, from 0. Raises `UserError` unless micro-batch x
        accumulation x processes is the batch size."""
        size = config.batch_size
        if config.micro_batch is None:
            return cls(batch_size=size, n_parts=1, n_processes=n_processes, mine=(WHOLE,))
        at_once = config.micro_batch * n_processes
        if size % at_once:
            many = f" in {n_processes} processes" if n_processes > 1 else ""
            raise UserError(
                f"phase '{phase}': micro-batches of {config.micro_batch}{many} take {at_once} "
                f"samples at once, and a batch of {size} is no multiple of that; micro_batch x "
                "accumulation x processes is the batch size"
            )
        n_parts = size // config.micro_batch
        mine = tuple(Part(at, n_parts) for at in range(index, n_parts, n_processes))
        return cls(batch_size=size, n_parts=n_parts, n_processes=n_processes, mine=mine)

    @property
    def share(self) -> float:
        """What each of this process's losses is multiplied by, so that their sum over all
        processes is the mean over the batch."""
        return 1 / (len(self.mine) * self.n_processes)

    @property
    def accumulation(self) -> int:
        """Parts that a process computes before a step is taken."""
        return len(self.mine)


def _number(label: str) -> int:
    """A seed for every generator, the same wherever it is reckoned."""
    return int.from_bytes(sha256(label.encode()).digest()[:4])
