"""`list --load`: every entry loaded for real, each in a process of its own.

A fresh interpreter imports what plugins may rely on, and forks for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from benchmark.core import registry
from benchmark.core.entries import PLUGIN_KINDS, Entry, Kind
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.forked import RaisedInFork, in_fork
from benchmark.core.fresh import answer_fresh, ask_fresh
from benchmark.core.garbage import nothing_to_collect

LOAD_TIMEOUT_S = 120


def tried(found: Sequence[Entry]) -> list[Entry]:
    """The entries, each with the problem that a process of its own had in loading it."""
    whole = [entry for entry in found if not entry.problem]
    said = ask_fresh(__name__, [[entry.kind, entry.name] for entry in whole])
    problems = {entry.name: problem for entry, problem in zip(whole, said, strict=True)}
    return [replace(entry, problem=entry.problem or problems[entry.name]) for entry in found]


def main() -> None:
    """In the fresh interpreter: kinds and names come in, the problem of each goes out, or null."""
    answer_fresh(_problems)


def _problems(asked: Any) -> Any:
    _import_before({kind for kind, _ in asked})
    return [_problem(kind, name) for kind, name in asked]


def _import_before(kinds: set[Kind]) -> None:
    """What is here before a fork is in all of them. What is wrong with it every fork says."""
    with suppress(Exception), nothing_to_collect():
        import benchmark.api
        import benchmark.data.cards
        import benchmark.models
        import benchmark.suites

        if kinds & set(PLUGIN_KINDS):
            import benchmark.stages.forms
            import benchmark.stages.panel
            import benchmark.training.losses  # noqa: F401


def _problem(kind: Kind, name: str) -> str | None:
    try:
        said: str | None = in_fork(lambda: _said(kind, name), timeout_s=LOAD_TIMEOUT_S)
    except RaisedInFork as error:
        return str(error)
    except TimeoutError:
        return f"not loaded after {LOAD_TIMEOUT_S} s"
    except ChildProcessError as error:
        return f"the process died while loading it, exit code {error.errno}"
    return said


def _said(kind: Kind, name: str) -> str | None:
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
            # One of the hub would be downloaded; one that is made here may not be made yet.
            if card.folder is not None and not card.made_here:
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
