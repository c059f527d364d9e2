"""Runs another program to its end: what it says goes into a log, without what nobody may read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import IO

from benchmark.core.processes import die_with_parent
from benchmark.core.store import TAIL_BYTES, writing

N_LAST_LINES = 8
# What still comes through the pipe once the program is gone.
READ_OUT_WITHIN_S = 10.0
_SECRET = re.compile("KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_SHORTEST_SECRET = 8
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Loguru's head of a line: the time, the level, the place.
_LOGGED_AT = re.compile(r"^[\d: .-]+\| (\w+)\s*\| \S+ - ")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How it ended: by itself with a `code` (negative: by that signal), or when time was up."""

    code: int
    timed_out: bool
    wall_s: float


def run_to_end(
    command: Sequence[str], *, log: Path, folder: Path, timeout_s: float | None
) -> Ended:
    """Run it in `folder` and wait; whatever happens, nothing of it is left behind."""
    started = time.monotonic()
    timed_out = False
    with writing(log):
        stream = log.open("w", encoding="utf-8")
    with stream:
        process = subprocess.Popen(
            command,
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
            start_new_session=True, preexec_fn=partial(die_with_parent, os.getpid()),
        )  # fmt: skip
        assert process.stdout is not None
        reading = Thread(target=_copy, args=(process.stdout, stream), daemon=True)
        reading.start()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            # Workers of its own too.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            reading.join(READ_OUT_WITHIN_S)
    return Ended(code=process.returncode, timed_out=timed_out, wall_s=time.monotonic() - started)


def _copy(said: IO[str], log: IO[str]) -> None:
    secrets = secrets_of(os.environ)
    # A log that can no longer be written, or was closed, must not keep the program waiting.
    for line in said:
        with suppress(OSError, ValueError):
            log.write(without_secrets(line, secrets))
            log.flush()


def secrets_of(environment: os._Environ[str] | dict[str, str]) -> list[str]:
    """Values of variables that are called keys or tokens; lmms-eval prints the hub's."""
    return sorted(
        (
            value for name, value in environment.items()
            if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET
        ),
        key=len, reverse=True,
    )  # fmt: skip


def without_secrets(text: str, secrets: Sequence[str]) -> str:
    """`text` with every one of them blotted out."""
    for secret in secrets:
        text = text.replace(secret, "[left out]")
    return text


def last_lines(log: Path) -> list[str]:
    """What it said at last, without colours and empty lines."""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = stream.read().decode(errors="replace").splitlines()
    plain = (_LOGGED_AT.sub(r"\1: ", _COLOURS.sub("", line)).rstrip() for line in lines)
    return [line for line in plain if line][-N_LAST_LINES:]
