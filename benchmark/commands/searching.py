"""`search`: choose settings on the validation pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from benchmark.commands.ended import FAILED, MISSING, worst_of
from benchmark.commands.options import (
    DEFAULT_SUITE,
    EVERY,
    JobsOption,
    ModelOption,
    ResultsOption,
    SuiteOption,
    read_methods,
    read_models,
    results_at,
)
from benchmark.commands.output import JsonOption, say, show, show_json
from benchmark.commands.presence import AllowMissingOption, check_models, check_sets
from benchmark.commands.running import DeviceOption, MethodOption
from benchmark.core.errors import RunFailed, UserError

if TYPE_CHECKING:
    from benchmark.core.found import Searched
    from benchmark.search import Found


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search", epilog="Example: search --method textual_unlearning")(search)


def search(
    method: MethodOption,
    model: ModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    device: DeviceOption = "auto",
    allow_missing: AllowMissingOption = False,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Try a grid of settings on validation behaviours, as many for every method; later runs use
    the best."""
    names = read_methods(method)
    models = read_models(model, suite=suite, method=method)
    check_sets(suite, allow_missing=allow_missing, part="selection")
    check_models(suite=suite, models=models)
    if method == EVERY:
        names = tuple(name for name in names if _may_be_searched(name))
    root = results_at(results).root

    from benchmark import search as searching
    from benchmark.core.errors import NotOffered
    from benchmark.progress import Reporter
    from benchmark.runner import RunRequest

    codes: set[int] = set()

    searched: list[Searched] = []

    def found(one: Found) -> None:
        searched.append(_facts(one))
        if not as_json:
            _show(one)
        if one.error is not None:
            missing = isinstance(one.error, NotOffered)
            left_out = missing and method == EVERY
            say(f"{'left out' if left_out else 'error'}: {one.row} on {one.model}: {one.error}")
            codes.add(0 if left_out else MISSING if missing else FAILED)

    requests = [
        RunRequest(
            method=name,
            model=one,
            suite=suite,
            device=device,
            results=root,
            allow_missing=allow_missing,
        )
        for one in models
        for name in names
    ]
    searching.search(requests, reporter=Reporter(), jobs=jobs, lenient=method == EVERY, found=found)
    if as_json:
        show_json("search", searched)
    return worst_of(codes)


def _facts(found: Found) -> Searched:
    from benchmark.core.found import Searched, Trial

    chosen = found.chosen
    trials = chosen.trials if chosen is not None else ()
    return Searched(
        method=found.row,
        model=found.model,
        chosen=dict(chosen.settings) if chosen is not None else None,
        selection=chosen.selection if chosen is not None else None,
        trials=[
            Trial(
                settings=dict(trial.settings), status=trial.status, error=trial.error,
                objective=trial.objective, worst_asr=trial.worst_asr, device_s=trial.device_s,
            )
            for trial in trials
        ],
        error=str(found.error) if found.error is not None else None,
    )  # fmt: skip


def _show(found: Found) -> None:
    if found.chosen is None:
        return
    for trial in found.chosen.trials:
        value = "-" if trial.objective is None else f"{trial.objective:.3f}"
        show(f"{found.row} on {found.model}, {trial.settings}: objective {value}, {trial.status}")
    chosen = found.chosen
    show(f"{found.row} on {found.model}: chose {chosen.settings}, see {chosen.selection.record}")


def _may_be_searched(name: str) -> bool:
    """One that cannot even be imported, or is none, stays and will say so among the others."""
    from benchmark.api import Method
    from benchmark.core import registry
    from benchmark.grids import has_settings

    try:
        method = registry.load("method", name)
    except (UserError, RunFailed):
        return True
    return not (isinstance(method, type) and issubclass(method, Method)) or has_settings(method)
