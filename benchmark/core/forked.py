"""Do something in a fork of this process: what it changes, prints or dies of stays in there."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_LENGTH = struct.Struct("<Q")
_AT_ONCE = 65536


class RaisedInFork(Exception):
    """Something was raised in there: its type and the first line of what it said."""


def in_fork(work: Callable[[], Any], *, timeout_s: float) -> Any:
    """What `work` returns, which goes through JSON. What it prints goes to standard error.

    Raises `RaisedInFork`; `TimeoutError` after `timeout_s` seconds; and `ChildProcessError` with
    the exit code, negative for a signal, where the fork ended without an answer. Whatever the fork
    started is killed with it, unless it left the process group.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(reading)
        _answer(work, writing)
    # Whoever of the two comes first.
    with suppress(OSError):
        os.setpgid(child, child)
    os.close(writing)
    try:
        said = _read(reading, until=time.monotonic() + timeout_s)
    finally:
        os.close(reading)
        code = _ended(child)
    if said is None:
        raise ChildProcessError(code, "the process died")
    answer = json.loads(said)
    if "raised" in answer:
        raise RaisedInFork(answer["raised"])
    return answer["found"]


def _answer(work: Callable[[], Any], writing: int) -> None:
    """In the fork, which never returns from here."""
    os.dup2(2, 1)
    try:
        said = json.dumps({"found": work()})
    except BaseException as error:
        # Nobody above is to go on in here: whatever it was, the other process says it.
        first = (str(error).strip().splitlines() or [""])[0]
        said = json.dumps({"raised": f"{type(error).__name__}: {first}".removesuffix(": ")})
    try:
        with os.fdopen(writing, "wb") as stream:
            stream.write(_LENGTH.pack(len(said)) + said.encode())
    finally:
        # Not even where nobody listens any more.
        os._exit(0)


def _read(reading: int, *, until: float) -> bytes | None:
    """One answer, however much is written after it; None where the pipe ends before."""
    found = b""
    while len(found) < _LENGTH.size or len(found) < _LENGTH.size + _LENGTH.unpack_from(found)[0]:
        left = until - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            raise TimeoutError("no answer in time")
        more = os.read(reading, _AT_ONCE)
        if not more:
            return None
        found += more
    (length,) = _LENGTH.unpack_from(found)
    return found[_LENGTH.size : _LENGTH.size + length]


def _ended(child: int) -> int:
    """Its exit code; it is killed where it still runs, and all that it started."""
    # One that is on its way out says how it went.
    for _ in range(20):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            break
        time.sleep(0.005)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
