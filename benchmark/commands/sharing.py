"""Several processes for one command, which share its trainings: started here, or by `torchrun` and
`accelerate launch`, of which each process is told by the same variables."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.accelerated import read_accelerate
from benchmark.commands.ended import FAILED, INTERRUPTED
from benchmark.commands.output import say
from benchmark.core.errors import UserError
from benchmark.core.processes import die_with_parent, n_processes, usable_cores

if TYPE_CHECKING:
    from benchmark.training.processes import Processes

# For process 0 to notice that another is gone, and to put it on record.
GRACE_S = 15.0
LOOK_EVERY_S = 0.1

ProcessesOption = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        help="Train in so many processes, a GPU each; micro_batch says how a batch is cut.",
    ),
]
AccelerateOption = Annotated[
    Path | None,
    typer.Option(
        "--accelerate",
        help="A file of `accelerate config`: how many processes, and whether each holds the whole "
        "model (MULTI_GPU, MULTI_CPU) or a shard of its layers (FSDP).",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Start:
    """So many processes on this machine, and what each finds in its environment."""

    n: int
    variables: Mapping[str, str] = field(default_factory=dict)


def is_follower() -> bool:
    """Is this one of several processes, and not the first?"""
    return n_processes() > 1 and os.environ["RANK"] != "0"


def refusal(command: str, known: Collection[str]) -> str | None:
    """Why a command is not for several processes, where there are several."""
    if n_processes() == 1 or command in known or command.startswith("-"):
        return None
    several = ", ".join(known)
    return f"{command} runs in one process, and {n_processes()} were started; {several} share"


def follow_along(device: str) -> int:
    """Share the trainings of process 0 until it is done; returns the exit code."""
    from benchmark.stages.following import follow
    from benchmark.stages.resolve import device_of
    from benchmark.training.joining import join
    from benchmark.training.processes import Joined

    # Ctrl-C reaches all processes of a terminal, and is process 0's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    together = join(device_of(device))
    assert isinstance(together, Joined), "it follows somebody"
    code = follow(together)
    if code == 0:
        together.leave()
    return code


@contextmanager
def led(device: str) -> Iterator[Processes]:
    """The processes that share what is trained inside; this one alone where there are no others."""
    from benchmark.stages.resolve import device_of
    from benchmark.training.joining import leading

    with leading(device_of(device)) as processes:
        yield processes


def read_processes(n: int | None, file: Path | None, *, device: str) -> Start | None:
    """What is to be started, or None where that is done: each of several reads this too.

    Raises `UserError` for what does not go together.
    """
    if n is not None and file is not None:
        raise UserError("--processes and --accelerate both say how many; give one of them")
    if n_processes() > 1:
        if n is not None and n != n_processes():
            raise UserError(f"--processes {n}, but {n_processes()} were started")
        return None
    if file is not None:
        wanted, variables = read_accelerate(file, device=device)
        return Start(n=wanted, variables=variables)
    return Start(n=n) if n is not None and n > 1 else None


def start(how: Start) -> int:
    """Run this very command in each process; returns the exit code of the first, whose output is
    that of all. Where one ends before its time, so do the others, and one line says so."""
    variables = os.environ | _threads(how.n) | dict(how.variables)
    variables |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    variables |= {"WORLD_SIZE": str(how.n), "LOCAL_WORLD_SIZE": str(how.n)}
    # Ctrl-C reaches them too, and the first answers it. To ignore it would be handed on to them.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    started = [_started(index, variables) for index in range(how.n)]
    signal.signal(signal.SIGTERM, lambda *_: _end_all(started))
    try:
        return _ended(started)
    finally:
        signal.signal(signal.SIGINT, before)
        for one in started:
            one.kill()
            one.wait()


def _started(index: int, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """One of them, which does not outlive this process."""
    quiet = subprocess.DEVNULL if index else None
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", *sys.argv[1:]],
        env={**variables, "RANK": str(index), "LOCAL_RANK": str(index)},
        stdin=quiet, stdout=quiet,
        preexec_fn=partial(die_with_parent, os.getpid(), hears_ctrl_c=True),
    )  # fmt: skip


def _ended(started: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait for the first; where another fails it has a moment to say so itself."""
    first, *others = started
    until: float | None = None
    while first.poll() is None:
        failed = [index for index, one in enumerate(others, start=1) if one.poll()]
        if failed and until is None:
            until = time.monotonic() + GRACE_S
        if until is not None and time.monotonic() > until:
            first.kill()
            first.wait()
            return _said(failed[0], others[failed[0] - 1].returncode, len(started))
        time.sleep(LOOK_EVERY_S)
    if first.returncode == -signal.SIGINT:
        # Before it could answer Ctrl-C in words.
        return INTERRUPTED
    if first.returncode < 0:
        return _said(0, first.returncode, len(started))
    _let_go(others)
    return first.returncode


def _end_all(started: Sequence[subprocess.Popen[bytes]]) -> None:
    for one in started:
        one.terminate()


def _let_go(others: Sequence[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + GRACE_S
    while any(one.poll() is None for one in others) and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)


def _said(index: int, code: int, n: int) -> int:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    say(
        f"error: process {index} of {n} {how}; what was kept is kept, and the same command goes on "
        "from there"
    )
    return FAILED


def _threads(n: int) -> dict[str, str]:
    """They share the cores."""
    if "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, usable_cores() // n))}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
