"""Import plugins where there is no GPU and no optional package, and see what the import does.

A fresh interpreter imports what every plugin may rely on, and forks for each of them.
"""

from __future__ import annotations

import os
import random
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

from benchmark.core.errors import RunFailed, UserError
from benchmark.core.forked import RaisedInFork, in_fork
from benchmark.core.fresh import answer_fresh, ask_fresh
from benchmark.core.garbage import nothing_to_collect
from benchmark.core.store import REPOSITORY

IMPORT_TIMEOUT_S = 30
ALL_TIMEOUT_S = 300
# What contributors' tools bring; a plugin is not meant to work without its own test runner.
NOT_BLOCKED = {"dev"}
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """`problem` is why it could not be imported and `remedy` what to do, `work` what the import
    did beside defining."""

    problem: str | None = None
    remedy: str | None = None
    work: list[str] = field(default_factory=list)


def import_reports(names: Iterable[str]) -> dict[str, ImportReport]:
    """One report per name of a method, from a child process."""
    names = sorted(names)
    asked = {"names": names, "blocked": optional_imports()}
    no_gpu = {"CUDA_VISIBLE_DEVICES": ""}
    try:
        found = ask_fresh(__name__, asked, timeout_s=ALL_TIMEOUT_S, variables=no_gpu)
    except TimeoutError:
        return {name: ImportReport(problem="not imported in time") for name in names}
    return {name: ImportReport(**report) for name, report in found.items()}


def optional_imports() -> list[str]:
    """Import names of what an extra of ours brings, and of vllm whether it is there or not."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {
        _distribution(line)
        for extra, lines in extras.items()
        if extra not in NOT_BLOCKED
        for line in lines
    } - {_distribution(line) for line in project["dependencies"]}
    installed = metadata.packages_distributions()
    names = {name for name, owners in installed.items() if wanted & {_plain(o) for o in owners}}
    return sorted(names | {name.replace("-", "_") for name in wanted})


def _distribution(requirement: str) -> str:
    from packaging.requirements import Requirement

    return _plain(Requirement(requirement).name)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def main() -> None:
    """In the fresh interpreter: names come in, a report for each goes out."""
    answer_fresh(_reports)


def _reports(asked: Any) -> Any:
    for name in asked["blocked"]:
        # Looks to every library as if it were not installed.
        sys.modules[name] = None  # type: ignore[assignment]
    sys.dont_write_bytecode = True
    # What is here before a fork is in all of them.
    with nothing_to_collect():
        import benchmark.api
        import benchmark.stages.surroundings
        import benchmark.training.guidance
        import benchmark.training.losses
        import benchmark.training.unlearning  # noqa: F401 (the forks find it imported)

    return {name: asdict(_forked(name)) for name in asked["names"]}


def _forked(name: str) -> ImportReport:
    try:
        found = in_fork(lambda: asdict(_report(name)), timeout_s=IMPORT_TIMEOUT_S)
    except RaisedInFork as error:
        return ImportReport(problem=str(error))
    except TimeoutError:
        return ImportReport(problem=f"not imported after {IMPORT_TIMEOUT_S} s")
    except ChildProcessError:
        return ImportReport(problem="the process died while importing it")
    return ImportReport(**found)


def _report(name: str) -> ImportReport:
    import torch

    from benchmark.core import registry
    from benchmark.stages.surroundings import Surroundings

    before, states = Surroundings.now(), _random_states()
    work: list[str] = []
    sys.addaudithook(lambda event, arguments: _watch(event, arguments, work))
    problem, remedy = None, None
    try:
        registry.load("method", name)
    except (UserError, RunFailed) as error:
        problem, remedy = str(error), _remedy(error)
    seen = list(dict.fromkeys(work))
    seen += [f"changes {change}" for change in before.changes()]
    if states != _random_states():
        seen.append("draws random numbers")
    if torch.cuda.is_initialized():
        seen.append("initialises CUDA")
    return ImportReport(problem=problem, remedy=remedy, work=seen)


def _remedy(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, ModuleNotFoundError):
        package = (cause.name or "").partition(".")[0]
        is_optional = package in sys.modules and sys.modules[package] is None
        inside = "import an optional package inside the function that needs it"
        return inside if is_optional else "mend that import, or install the package"
    if str(error).endswith("does not define METHOD"):
        return "end it with METHOD = YourMethod"
    return "mend that line"


def _watch(event: str, arguments: tuple[Any, ...], work: list[str]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo"):
        work.append("goes to the network")
    elif event in ("subprocess.Popen", "os.system", "os.posix_spawn"):
        work.append(f"starts the process {arguments[0]}")
    elif event == "open" and isinstance(arguments[0], str):
        path, mode = arguments[0], arguments[1] or "r"
        if set(mode) & set("wax+") and path != os.devnull:
            work.append(f"writes {path}")
        elif path.endswith(WEIGHTS):
            work.append(f"reads the weights {path}")


def _random_states() -> tuple[str, str]:
    import torch

    return repr(random.getstate()), repr(torch.get_rng_state().tolist())
