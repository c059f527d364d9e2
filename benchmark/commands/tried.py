"""`list --load`: every entry loaded for real, each in a process of its own.

One process imports what plugins may rely on, and forks for each of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

from benchmark.core import registry
from benchmark.core.entries import PLUGIN_KINDS, Entry, Kind
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.forked import in_fork
from benchmark.core.store import REPOSITORY

LOAD_TIMEOUT_S = 120
_CODE = "from benchmark.commands.tried import main; main()"


def tried(found: Sequence[Entry]) -> list[Entry]:
    """The entries, each with the problem that a fresh process had in loading it."""
    whole = [(entry.kind, entry.name) for entry in found if not entry.problem]
    done = subprocess.run(
        [sys.executable, "-c", _CODE], input=json.dumps(whole), stdout=subprocess.PIPE, text=True,
        cwd=REPOSITORY, check=True,
    )  # fmt: skip
    problems = dict(zip(whole, json.loads(done.stdout.splitlines()[-1]), strict=True))
    return [
        replace(entry, problem=entry.problem or problems[entry.kind, entry.name]) for entry in found
    ]


def main() -> None:
    """In the child: read kinds and names, print the problem of each, or null."""
    asked = json.load(sys.stdin)
    # What is here before a fork is in all of them.
    import benchmark.api
    import benchmark.data.cards
    import benchmark.models
    import benchmark.suites

    if any(kind in PLUGIN_KINDS for kind, _ in asked):
        import benchmark.stages.forms
        import benchmark.stages.panel
        import benchmark.training.losses  # noqa: F401
    print(json.dumps([_problem(kind, name) for kind, name in asked]))


def _problem(kind: Kind, name: str) -> str | None:
    try:
        found = in_fork(lambda: _said(kind, name), timeout_s=LOAD_TIMEOUT_S)
    except TimeoutError:
        return f"not loaded after {LOAD_TIMEOUT_S} s"
    except ChildProcessError as error:
        return f"the process died while loading it, exit code {error.errno}"
    assert found is None or isinstance(found, str)
    return found


def _said(kind: Kind, name: str) -> str | None:
    """In the fork: what is wrong with it. What it prints must not get among the answers."""
    sys.stdout = sys.stderr
    try:
        _load(kind, name)
    except (UserError, RunFailed) as error:
        return str(error)
    return None


def _load(kind: Kind, name: str) -> None:
    match kind:
        case "dataset":
            from benchmark.data.cards import load_card as load_data_card

            load_data_card(name)
        case "model":
            from benchmark.models import load_card as load_model_card

            card = load_model_card(name)
            # One of the hub would be downloaded.
            if card.folder is not None:
                card.checkpoint()
        case "suite":
            from benchmark.suites import load_suite

            load_suite(name)
        case "study":
            from benchmark.studies import load_study

            load_study(name)
        case "preset":
            from benchmark.presets import load_preset

            load_preset(name)
        case "attack":
            from benchmark.stages.forms import attack_of

            attack_of(name)
        case "judge":
            from benchmark.stages.panel import judge_type

            judge_type(name)
        case _:
            registry.load(kind, name)
