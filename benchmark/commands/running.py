"""`run`, and its stages one by one: `train`, `generate`, `judge`, `score`."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from benchmark.commands.boards import show_boards, write_boards
from benchmark.commands.completing import one_of, several_of
from benchmark.commands.ended import facts_of, records_of, run_all
from benchmark.commands.engines import (
    EndpointOption,
    EngineOption,
    ServedModelOption,
    read_endpoint,
)
from benchmark.commands.importing import import_all
from benchmark.commands.limits import budget_of, check_given
from benchmark.commands.options import (
    DEFAULT_SUITE,
    EVERY,
    JobsOption,
    ModelOption,
    ResultsOption,
    SuiteOption,
    TrustOption,
    read_methods,
    read_models,
    read_overrides,
    read_seeds,
    results_at,
)
from benchmark.commands.output import JsonOption, say, show_json
from benchmark.commands.presence import AllowMissingOption, check_models, check_sets
from benchmark.commands.sharing import (
    AccelerateOption,
    ProcessesOption,
    follow_along,
    is_follower,
    led,
    read_processes,
    start,
)
from benchmark.core.store import Results, check_writable

if TYPE_CHECKING:
    from benchmark.progress import Reporter
    from benchmark.runner import RunRequest
    from benchmark.several import Outcome

Upto = Literal["train", "generate", "judge", "score"]

MethodOption = Annotated[
    str,
    typer.Option(
        "--method",
        help="A name from `list methods`, several with commas, or `all`.",
        autocompletion=several_of("method"),
    ),
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
DefaultsOption = Annotated[
    bool, typer.Option("--defaults", help="The method's own defaults, not those chosen for it.")
]
CheckpointOption = Annotated[
    float,
    typer.Option("--checkpoint-every", min=0.0, help="Seconds between training checkpoints."),
]
TimelineOption = Annotated[
    Path | None,
    typer.Option(
        "--timeline",
        help="Add what took how long to this file, as JSON lines; `speed run` reads them.",
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="Settings for a piece of hardware, or a paper's: a name from `list presets`, or a "
        "YAML file. --config and --set go above it.",
        autocompletion=one_of("preset"),
    ),
]
CheckpointingOption = Annotated[
    bool | None,
    typer.Option(
        "--gradient-checkpointing/--no-gradient-checkpointing",
        help="Train with less memory and more time, to the same weights; if not given, as the "
        "preset says, else without.",
    ),
]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        "--max-gpu-hours",
        help="Stop once the runs of this command, earlier attempts included, have taken so many "
        "GPU-hours (on a CPU core-hours): exit code 4, and a larger limit goes on.",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]


def add_to(app: typer.Typer) -> None:
    """Add `run` and its stages, which take the same options; `judge` takes more."""
    for name, upto, summary, example in COMMANDS:
        if name != "judge":
            made = staged(name, upto)
            app.command(name, help=summary, epilog=f"Example: {name} {example}")(made)


COMMANDS: tuple[tuple[str, Upto, str, str], ...] = (
    (
        "run", "score",
        "Train, attack, answer, judge and score; ends with the row beside the published ones.",
        "--method textual_unlearning --seeds 3",
    ),
    (
        "train", "train", "Only unlearn, and keep what the method leaves behind.",
        "--method textual_unlearning --set steps=50",
    ),
    (
        "generate", "generate", "Answer the suite's prompts, after training if that is not done.",
        "--method original --limit 20",
    ),
    (
        "judge", "judge", "Judge the answers, after the stages before it that are not done.",
        "--method original",
    ),
    (
        "score", "score", "Score the verdicts and write the record, as `run` does.",
        "--method original,always_refuse",
    ),
)  # fmt: skip


NAMES = tuple(name for name, *_ in COMMANDS)


# The command that runs up to a stage. Names and settings are read before torch is imported: a
# typing error shows at once.
def staged(name: str, upto: Upto) -> Callable[..., int]:
    def command(
        method: MethodOption,
        model: ModelOption = None,
        suite: SuiteOption = DEFAULT_SUITE,
        seeds: SeedsOption = "1",
        limit: LimitOption = None,
        settings: SetOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
        config: ConfigOption = None,
        preset: PresetOption = None,
        gradient_checkpointing: CheckpointingOption = None,
        force: ForceOption = False,
        defaults: DefaultsOption = False,
        device: DeviceOption = "auto",
        trust_remote_code: TrustOption = False,
        allow_missing: AllowMissingOption = False,
        max_gpu_hours: BudgetOption = None,
        engine: EngineOption = "local",
        endpoint: EndpointOption = None,
        served_model: ServedModelOption = None,
        checkpoint_every: CheckpointOption = 20.0,
        jobs: JobsOption = None,
        processes: ProcessesOption = None,
        accelerate: AccelerateOption = None,
        timeline: TimelineOption = None,
        as_json: JsonOption = False,
        results: ResultsOption = None,
    ) -> int:
        if is_follower():
            return follow_along(device)
        names, numbers = read_methods(method), read_seeds(seeds)
        every, given = method == EVERY, read_overrides(settings, config)
        there = read_endpoint(engine, endpoint, served_model)
        check_given(names, preset, checkpoint_every=checkpoint_every, max_gpu_hours=max_gpu_hours)
        less, where = allow_missing or upto == "train", _writable(results)
        models = _models(model, suite=suite, method=method, less=less)
        if (several := read_processes(processes, accelerate, device=device)) is not None:
            return start(several)
        reporter = _begin(_asked(names, models, suite=suite, seeds=numbers))
        with reporter.timeline.kept_in(timeline):
            once = import_all(names, models, numbers, reporter=reporter)
            from benchmark.runner import RunRequest

            asked = RunRequest(
                method=names[0], suite=suite, limit=limit, overrides=given, preset=preset,
                gradient_checkpointing=gradient_checkpointing, force=force, tuned=not defaults,
                device=device, trust_remote_code=trust_remote_code, results=where.root, upto=upto,
                checkpoint_every_s=checkpoint_every, allow_missing=allow_missing, engine=engine,
                endpoint=there,
            )  # fmt: skip
            with led(device) as together:
                outcomes, code = run_all(
                    _each(asked, names, models, seeds=numbers, once=once), jobs=jobs,
                    everything=every, reporter=reporter, processes=together,
                    budget=budget_of(max_gpu_hours, device=device),
                )  # fmt: skip
            _show(name, asked, outcomes, reporter, every=every, code=code, as_json=as_json)
            return code

    return command


def _begin(asked: str) -> Reporter:
    """Say what was asked for; returns who is told of what comes of it."""
    say(f"{asked}; loading ...")
    from benchmark.progress import Reporter

    return Reporter()


def _each(
    asked: RunRequest,
    names: Sequence[str],
    models: Sequence[str],
    *,
    seeds: Sequence[int],
    once: Container[tuple[str, str]],
) -> list[RunRequest]:
    """Every method on every model with every seed; with the first where they are all the same."""
    return [
        replace(asked, method=row, model=model, seed=seed)
        for model in models
        for row in names
        for seed in (seeds if (row, model) not in once else (0,))
    ]


def _models(model: str | None, *, suite: str, method: str, less: bool) -> tuple[str, ...]:
    """`less`: the suite's sets need not all be here."""
    models = read_models(model, suite=suite, method=method)
    # Before weights are downloaded for nothing.
    check_sets(suite, allow_missing=less)
    check_models(suite=suite, models=models)
    return models


def _writable(results: Path | None) -> Results:
    where = results_at(results)
    check_writable(where.root)
    return where


def _show(
    name: str,
    asked: RunRequest,
    outcomes: Sequence[Outcome],
    reporter: Reporter,
    *,
    every: bool,
    code: int,
    as_json: bool,
) -> None:
    """The boards, written where runs were scored, or how each run ended."""
    from benchmark.core.found import RunsEnded

    where = Results(asked.results)
    with reporter.timeline.doing("table"):
        boards = write_boards(records_of(outcomes), where) if asked.upto == "score" else []
        if not as_json:
            show_boards(boards, where)
            return
        ended = RunsEnded(
            runs=[facts_of(outcome, everything=every) for outcome in outcomes],
            files=[str(path) for board in boards for path in board.paths],
            exit_code=code,
        )
        show_json(name, ended)


def _asked(names: Sequence[str], models: Sequence[str], *, suite: str, seeds: Sequence[int]) -> str:
    """What was asked for, in a few words: importing torch takes seconds, and nobody should wait
    for a first line."""
    rows = names[0] if len(names) == 1 else f"{len(names)} methods"
    targets = models[0] if len(models) == 1 else f"{len(models)} models"
    of_seeds = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    return f"{rows} on {targets}, suite {suite}, {of_seeds}"
