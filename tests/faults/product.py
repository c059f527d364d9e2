"""Command lines of the product as processes that can be killed, refused and run side by side.

`Product` keeps one warm process that has imported everything, and forks it for every command: a
run that would take seconds to import torch starts at once. What was forked is a process as any
other: it takes locks, forks workers and dies with them.
"""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.asked import Batch, read_asked
from faults.traps import Operation, Trap
from faults.warm import ROOT, AskDisks, Gone, Order, Start, Wait

DEADLINE_S = 120.0
SPRUNG = "sprung "


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended. `code` is its exit code, negative for a signal; `operations` are the
    files it wrote, renamed and removed below its folder, in order, `sprung` those at which a trap
    sprang, and `asked` what it put to models."""

    code: int
    out: str
    err: str
    operations: Sequence[Operation]
    sprung: Sequence[Operation]
    asked: Sequence[Batch]

    @property
    def killed(self) -> bool:
        """Was it by SIGKILL? Never by the one at a deadline: that fails the test."""
        return self.code == -9

    @property
    def error_lines(self) -> list[str]:
        """What it said that begins with `error:`."""
        return [line for line in self.err.splitlines() if line.startswith("error:")]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A command on its way."""

    product: Product
    process: int
    said: Path

    @property
    def err(self) -> str:
        """What it said so far beside its output."""
        return (self.said / "err").read_text()

    def freeze(self) -> None:
        """It does nothing more, and lets go of nothing."""
        os.killpg(self.process, signal.SIGSTOP)

    def kill(self) -> None:
        """SIGKILL, for its workers too."""
        os.killpg(self.process, signal.SIGKILL)

    def wait(self, deadline_s: float = DEADLINE_S) -> Ended:
        """Until it has ended; fails where it or a worker of it has not by the deadline."""
        gone: Gone = self.product.order(Wait(process=self.process, deadline_s=deadline_s))
        assert not gone.timed_out, f"it hung, and was killed: {self.err}"
        lines = (self.said / "operations").read_text().splitlines()
        sprung = [line.removeprefix(SPRUNG) for line in lines if line.startswith(SPRUNG)]
        return Ended(
            code=gone.code,
            out=(self.said / "out").read_text(),
            err=self.err,
            operations=[_operation(line) for line in lines if not line.startswith(SPRUNG)],
            sprung=[_operation(line) for line in sprung],
            asked=read_asked(self.said / "asked"),
        )


def _operation(line: str) -> Operation:
    kind, path = line.split(" ", 1)
    return Operation(kind, path)  # type: ignore[arg-type]


def _leave_home() -> None:
    """Go on as nobody's child. The memory and time of children are measured wherever a test runs a
    stage in its own process, and are long to read of one as large as this."""
    if os.fork():
        os._exit(0)


class Product:
    """The warm process. `checkpoint` is loaded once, so that the library's parts are imported."""

    def __init__(self, *, checkpoint: Path, scratch: Path) -> None:
        self._scratch = scratch
        self._count = itertools.count()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.warm", str(checkpoint)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT / "tests",
            # An environment shared by several clones may bring the packages of another one.
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            preexec_fn=_leave_home,
        )  # fmt: skip
        assert self._process.wait() == 0

    def close(self) -> None:
        """End it, and kill the commands that still run."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.read()
        self._process.stdout.close()

    def order(self, order: Order) -> Any:
        """Have the warm process do something."""
        assert self._process.stdin and self._process.stdout
        pickle.dump(order, self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)

    def start(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        traps: Sequence[Trap] = (),
        disk_bytes: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Running:
        """Start a command whose results lie in `folder/results` and which publishes into `folder`,
        with traps set, on a small disk of its own if a size is given."""
        said = self._scratch / str(next(self._count))
        said.mkdir(parents=True)
        (said / "err").touch()
        folder.mkdir(parents=True, exist_ok=True)
        known = {name: os.environ[name] for name in os.environ if name.startswith("HF_")}
        own = {"VLM_BENCH_RESULTS": str(folder / "results"), "TOKENIZERS_PARALLELISM": "false"}
        order = Start(
            arguments=arguments, folder=folder, said=said, traps=traps, disk_bytes=disk_bytes,
            variables=known | own | dict(variables or {}),
        )  # fmt: skip
        return Running(product=self, process=self.order(order), said=said)

    def run(self, arguments: Sequence[str], *, folder: Path, **how: Any) -> Ended:
        """Start a command and wait for its end; `how` as for `start`."""
        return self.start(arguments, folder=folder, **how).wait()

    def at_once(self, commands: Sequence[Sequence[str]], *, folder: Path) -> list[Ended]:
        """Start all in the same folder, then wait for all."""
        running = [self.start(arguments, folder=folder) for arguments in commands]
        return [one.wait() for one in running]

    def has_small_disks(self) -> bool:
        """May a small disk be mounted here?"""
        return bool(self.order(AskDisks()))
