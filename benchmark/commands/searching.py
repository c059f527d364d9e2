"""`search`: choose settings on the validation pool."""

from __future__ import annotations

import typer

from benchmark.commands.options import (
    DEFAULT_MODEL,
    DEFAULT_SUITE,
    ModelOption,
    ResultsOption,
    SuiteOption,
    read_methods,
    results_at,
)
from benchmark.commands.output import show
from benchmark.commands.running import DeviceOption, MethodOption


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search", epilog="Example: search --method textual_unlearning")(search)


def search(
    method: MethodOption,
    model: ModelOption = DEFAULT_MODEL,
    suite: SuiteOption = DEFAULT_SUITE,
    device: DeviceOption = "auto",
    results: ResultsOption = None,
) -> int:
    """Try the suite's grid of settings on validation behaviours; later runs use the best."""
    names = read_methods(method)
    if method == "all":
        names = tuple(name for name in names if _trains(name))
    root = results_at(results).root

    from benchmark import search as searching
    from benchmark.progress import Reporter
    from benchmark.runner import RunRequest

    for name in names:
        request = RunRequest(method=name, model=model, suite=suite, device=device, results=root)
        chosen = searching.search(request, reporter=Reporter())
        for trial in chosen.trials:
            value = "-" if trial.objective is None else f"{trial.objective:.3f}"
            show(f"{name} {trial.settings}: objective {value}, {trial.status}")
        show(f"{name}: chose {chosen.settings}, see {chosen.selection.record}")
    return 0


def _trains(name: str) -> bool:
    from benchmark.api import TrainingConfig
    from benchmark.core import registry

    return issubclass(registry.load("method", name).Config, TrainingConfig)
