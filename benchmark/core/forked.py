"""Do something in a fork of this process: what it changes, prints or dies of stays in there."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue


def in_fork(work: Callable[[], JsonValue], *, timeout_s: int) -> JsonValue:
    """What `work` returns, which goes through JSON.

    Raises `TimeoutError` after `timeout_s` seconds, and `ChildProcessError` with the exit code,
    negative for a signal, where the fork ended before it could say anything.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(work, writing, timeout_s=timeout_s)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM:
        raise TimeoutError(f"not done after {timeout_s} s")
    if code or not said:
        raise ChildProcessError(code, "the process died")
    found: JsonValue = json.loads(said)
    return found


def _answer(work: Callable[[], JsonValue], writing: int, *, timeout_s: int) -> None:
    """In the fork, which never returns from here."""
    code = 1
    try:
        signal.alarm(timeout_s)
        with os.fdopen(writing, "w") as stream:
            json.dump(work(), stream)
        code = 0
    except BaseException:
        # Nobody above is to go on in the fork; what it was is for whoever reads the log.
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)
