"""`run`, and its stages one by one: `train`, `generate`, `judge`, `score`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from benchmark.commands.options import (
    DEFAULT_MODEL,
    DEFAULT_SUITE,
    ModelOption,
    ResultsOption,
    SuiteOption,
    read_methods,
    read_overrides,
    read_seeds,
    results_at,
)

if TYPE_CHECKING:
    from benchmark.core.records import RunRecord
    from benchmark.core.store import Results
    from benchmark.runner import RunRequest

FAILED, OVER_BUDGET = 1, 4
Upto = Literal["train", "generate", "judge", "score"]

MethodOption = Annotated[
    str,
    typer.Option("--method", help="A name from `list methods`, several with commas, or `all`."),
]
SeedsOption = Annotated[
    str, typer.Option("--seeds", help="`3` for seeds 0, 1 and 2; `0,2` for these; `7,` for 7.")
]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Ask only the first N of each set; never ranked."),
]
SetOption = Annotated[
    list[str],
    typer.Option("--set", help="key=value over the method's settings, such as steps=50."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="A YAML file of settings; --set goes above it.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Repeat stages that are done.")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("run", epilog="Example: run --method textual_unlearning --seeds 3")(run)
    app.command("train", epilog="Example: train --method textual_unlearning --set steps=50")(train)
    app.command("generate", epilog="Example: generate --method original")(generate)
    app.command("judge", epilog="Example: judge --method original")(judge)
    app.command("score", epilog="Example: score --method original,always_refuse")(score)


def run(
    method: MethodOption,
    model: ModelOption = DEFAULT_MODEL,
    suite: SuiteOption = DEFAULT_SUITE,
    seeds: SeedsOption = "1",
    limit: LimitOption = None,
    settings: SetOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
    config: ConfigOption = None,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    results: ResultsOption = None,
) -> int:
    """Train, attack, answer, judge and score; ends with the row beside the published ones."""
    requests = _requests(
        method, model, suite, seeds, limit, settings, config, force, device, upto="score"
    )
    return _run_all(requests, results_at(results))


def train(
    method: MethodOption,
    model: ModelOption = DEFAULT_MODEL,
    suite: SuiteOption = DEFAULT_SUITE,
    seeds: SeedsOption = "1",
    settings: SetOption = [],  # noqa: B006
    config: ConfigOption = None,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    results: ResultsOption = None,
) -> int:
    """Only unlearn: leaves the artifact of the method."""
    requests = _requests(
        method, model, suite, seeds, None, settings, config, force, device, upto="train"
    )
    return _run_all(requests, results_at(results))


def generate(
    method: MethodOption,
    model: ModelOption = DEFAULT_MODEL,
    suite: SuiteOption = DEFAULT_SUITE,
    seeds: SeedsOption = "1",
    limit: LimitOption = None,
    settings: SetOption = [],  # noqa: B006
    config: ConfigOption = None,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    results: ResultsOption = None,
) -> int:
    """Unlearn if that is not done, and answer the suite's prompts."""
    requests = _requests(
        method, model, suite, seeds, limit, settings, config, force, device, upto="generate"
    )
    return _run_all(requests, results_at(results))


def judge(
    method: MethodOption,
    model: ModelOption = DEFAULT_MODEL,
    suite: SuiteOption = DEFAULT_SUITE,
    seeds: SeedsOption = "1",
    limit: LimitOption = None,
    settings: SetOption = [],  # noqa: B006
    config: ConfigOption = None,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    results: ResultsOption = None,
) -> int:
    """Do what is missing before it, and judge the answers."""
    requests = _requests(
        method, model, suite, seeds, limit, settings, config, force, device, upto="judge"
    )
    return _run_all(requests, results_at(results))


def score(
    method: MethodOption,
    model: ModelOption = DEFAULT_MODEL,
    suite: SuiteOption = DEFAULT_SUITE,
    seeds: SeedsOption = "1",
    limit: LimitOption = None,
    settings: SetOption = [],  # noqa: B006
    config: ConfigOption = None,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    results: ResultsOption = None,
) -> int:
    """Do what is missing before it, score the verdicts and write the record."""
    return run(method, model, suite, seeds, limit, settings, config, force, device, results)


def _requests(
    method: str, model: str, suite: str, seeds: str, limit: int | None, settings: list[str],
    config: Path | None, force: bool, device: str, *, upto: Upto,
) -> list[RunRequest]:  # fmt: skip
    """One request per method and seed. All names and settings are read before torch is."""
    from benchmark.models import load_card
    from benchmark.suites import check_fits, load_suite

    methods, numbers = read_methods(method), read_seeds(seeds)
    overrides = read_overrides(settings, config)
    check_fits(load_suite(suite), load_card(model))

    from benchmark.runner import RunRequest

    return [
        RunRequest(
            method=name, model=model, suite=suite, seed=seed, limit=limit, overrides=overrides,
            force=force, device=device, upto=upto,
        )
        for name in methods
        for seed in numbers
    ]  # fmt: skip


def _run_all(requests: list[RunRequest], results: Results) -> int:
    """Run each; a failed one is recorded, said, and does not stop the others."""
    from benchmark import runner
    from benchmark.core.store import check_writable

    check_writable(results.root)
    records = [runner.run(request) for request in requests]
    for record in records:
        _say_failure(record)
    statuses = {record.status for record in records}
    if "failed" in statuses:
        return FAILED
    return OVER_BUDGET if "over_budget" in statuses else 0


def _say_failure(record: RunRecord) -> None:
    if record.status == "done":
        return
    where = f" while {record.failed_stage}" if record.failed_stage else ""
    name = f"{record.spec.method}, seed {record.spec.seed}"
    print(f"error: {name} {record.status}{where}: {record.error}", file=sys.stderr)
