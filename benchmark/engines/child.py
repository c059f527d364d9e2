"""A child process that is spoken to in lines of JSON; what it says to standard error is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmark.core.processes import die_with_parent

# For a child that has nothing left to do but to leave.
LEAVES_WITHIN_S = 30.0
TAIL_BYTES = 64 * 1024


class ChildEnded(Exception):
    """It ended without a reply; says how, and its last words."""


class JsonChild:
    """Started at once; one reply to every line. It never outlives the process that started it."""

    def __init__(self, command: Sequence[str], *, log: Path, more: Mapping[str, str]) -> None:
        self._log = log
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                env=os.environ | dict(more),
                preexec_fn=partial(die_with_parent, os.getpid()),
            )

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Its reply to an order. Raises `ChildEnded` where there is none."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            return json.loads(line)
        except (BrokenPipeError, json.JSONDecodeError):
            raise ChildEnded(f"{self._how_it_ended()}: {self._last_words()}") from None

    def close(self) -> None:
        """Let it leave, and make it leave where it does not. A second call does nothing."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                # What was never flushed is for nobody.
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        try:
            self._process.wait(LEAVES_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _how_it_ended(self) -> str:
        self.close()
        code = self._process.returncode
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def _last_words(self) -> str:
        with self._log.open("rb") as stream:
            stream.seek(max(0, self._log.stat().st_size - TAIL_BYTES))
            lines = stream.read().decode(errors="replace").splitlines()
        said = [line.strip() for line in lines if line.strip()]
        return said[-1] if said else "without a word"
