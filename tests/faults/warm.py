"""A process that has imported everything once, and forks one for every command it is told.

Run as `python -m faults.warm CHECKPOINT` by `faults.product`; pickled orders come in on standard
input, and what became of each goes out on standard output.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from faults import small_disk
from faults.asked import tell_what_is_asked
from faults.traps import Operation, Trap, set_traps

from benchmark.core.garbage import nothing_to_collect

ROOT = Path(__file__).resolve().parents[2]
# Of sys/prctl.h.
PR_SET_CHILD_SUBREAPER = 36
# For the workers of a process that has ended: they die with it, or with their pipe to it.
GRACE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Start:
    """One command line of the product, with its results and what it publishes below `folder`."""

    arguments: Sequence[str]
    folder: Path
    said: Path
    """A folder for what it says: out, err, the operations, and what its models were asked."""
    traps: Sequence[Trap] = ()
    disk_bytes: int | None = None
    variables: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Until the process has ended; one that has not by the deadline is killed."""

    process: int
    deadline_s: float


@dataclass(frozen=True, kw_only=True)
class Gone:
    """The answer to `Wait`: the exit code, negative for a signal; and whether the process or one of
    its workers had to be killed since it did not end."""

    code: int
    timed_out: bool


@dataclass(frozen=True, kw_only=True)
class AskDisks:
    """Whether small disks are allowed here."""


Order = Start | Wait | AskDisks


def serve(checkpoint: Path) -> None:
    """Work off orders until there are no more; what still runs then is killed."""
    if sys.platform == "linux":
        # Workers that outlive a killed command are ours then, to be waited for.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    answers = os.fdopen(os.dup(1), "wb")
    # Nothing that a library prints may get between the answers.
    os.dup2(2, 1)
    with nothing_to_collect():
        _warm_up(checkpoint)
    running: set[int] = set()
    while True:
        try:
            order: Order = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        pickle.dump(_obey(order, running), answers)
        answers.flush()
    for process in running:
        os.killpg(process, signal.SIGKILL)


def _warm_up(checkpoint: Path) -> None:
    """Import what any command imports, the parts of the libraries that a model needs among them."""
    from copied_weights import copied, shared

    import benchmark
    import methods
    from benchmark import cli, runner, search, several
    from benchmark.core import environment
    from benchmark.core.records import Git
    from benchmark.data.sources.testbed import the_world
    from benchmark.tables import pages, publish
    from benchmark.tables.figures import canvas, curves
    from benchmark.vlm import loading, processors

    for package in (benchmark, methods):
        # An environment may bring the packages of another clone.
        assert package.__file__ and Path(package.__file__).is_relative_to(ROOT), package.__file__
    assert runner and search and several and pages and publish and canvas and curves
    cli._commands()
    the_world()
    # A record says which code it is of; here of one, whatever is edited while tests run.
    environment.git = lambda: Git(commit="f" * 40, dirty=False)
    # Whoever is forked from here finds the weights read, and copies them.
    loading._weights, processors.load_processor = copied, shared
    loading.load_model(checkpoint, name="warm")


def _obey(order: Order, running: set[int]) -> int | Gone | bool:
    if isinstance(order, Start):
        process = _fork(order)
        running.add(process)
        return process
    if isinstance(order, Wait):
        running.discard(order.process)
        return _wait(order)
    return small_disk.are_allowed()


def _fork(order: Start) -> int:
    """The process, once it is a group of its own, which can be frozen and killed."""
    until_grouped, grouped = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(grouped)
        os.close(until_grouped)
        try:
            code = _command(order)
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    os.close(grouped)
    os.read(until_grouped, 1)
    os.close(until_grouped)
    return child


def _command(order: Start) -> int:
    """In the child: be a process that was started for this command alone."""
    _redirect(0, os.open(os.devnull, os.O_RDONLY))
    _redirect(1, _new_file(order.said / "out"))
    _redirect(2, _new_file(order.said / "err"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(order.variables)
    if order.disk_bytes is not None:
        small_disk.live_on(order.folder, n_bytes=order.disk_bytes)

    import torch

    from benchmark.cli import main
    from benchmark.core import store

    # As the product does in its own workers: torch's threads do not survive a fork.
    torch.set_num_threads(torch.get_num_threads())
    store.PUBLISHED_IN = order.folder
    _listen(order)
    return main(list(order.arguments))


def _listen(order: Start) -> None:
    """Have every operation on files, every trap that springs and every question put on file."""
    operations = _new_file(order.said / "operations")
    tell_of_stage = tell_what_is_asked(_new_file(order.said / "asked"))

    def told(operation: Operation) -> None:
        tell_of_stage(operation)
        os.write(operations, f"{operation.kind} {operation.path}\n".encode())

    def sprung(operation: Operation) -> None:
        os.write(operations, f"sprung {operation.kind} {operation.path}\n".encode())

    set_traps(order.folder, order.traps, told=told, sprung=sprung)


def _wait(order: Wait) -> Gone:
    ended = os.pidfd_open(order.process)
    timed_out = not select.select([ended], [], [], order.deadline_s)[0]
    if timed_out:
        os.killpg(order.process, signal.SIGKILL)
    os.close(ended)
    code = os.waitstatus_to_exitcode(os.waitpid(order.process, 0)[1])
    if not _is_gone(order.process, within_s=GRACE_S):
        timed_out = True
        os.killpg(order.process, signal.SIGKILL)
    return Gone(code=code, timed_out=timed_out)


def _is_gone(group: int, *, within_s: float) -> bool:
    """Has the last worker ended too? Nothing may be written after the end."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with suppress(ChildProcessError):
            while os.waitpid(-group, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.001)
    return False


def _redirect(number: int, to: int) -> None:
    os.dup2(to, number)
    os.close(to)


def _new_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)


if __name__ == "__main__":
    # Under its own name, so that pickled orders are of the classes known here.
    from faults.warm import serve as serve_

    serve_(Path(sys.argv[1]))
