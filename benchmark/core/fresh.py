"""Ask something of a fresh interpreter: one that has imported nothing but what is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from benchmark.core.errors import RunFailed
from benchmark.core.garbage import leave_it_all
from benchmark.core.store import REPOSITORY


def ask_fresh(
    module: str,
    asked: Any,
    *,
    timeout_s: float | None = None,
    variables: Mapping[str, str] | None = None,
) -> Any:
    """What `main` of a module answers, which is `answer_fresh` with something that knows.

    Raises `TimeoutError`, and `RunFailed` with its last line where it ended without an answer.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", f"from {module} import main; main()"],
            input=json.dumps(asked), capture_output=True, text=True, errors="backslashreplace",
            cwd=REPOSITORY, timeout=timeout_s, env=os.environ | dict(variables or {}),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"no answer within {timeout_s} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RunFailed(f"a fresh Python ended with exit code {done.returncode}: {last}")
    return json.loads(done.stdout)


def answer_fresh(answer: Callable[[Any], Any]) -> None:
    """In there: read what is asked, and answer where nothing that is printed gets between."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with answers:
        json.dump(answer(json.load(sys.stdin)), answers)
    leave_it_all()
