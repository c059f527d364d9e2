"""`judge`, also by other judges over stored answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.completing import several_of
from benchmark.commands.engines import EndpointOption, EngineOption, ServedModelOption
from benchmark.commands.judged import facts_of, rejudged_table
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
    results_at,
)
from benchmark.commands.output import JsonOption, drawn, report, say
from benchmark.commands.running import (
    BudgetOption,
    CheckpointingOption,
    CheckpointOption,
    ConfigOption,
    DefaultsOption,
    DeviceOption,
    ForceOption,
    LimitOption,
    MethodOption,
    PresetOption,
    SeedsOption,
    SetOption,
    TimelineOption,
    staged,
)
from benchmark.commands.sharing import AccelerateOption, ProcessesOption
from benchmark.core.errors import MissingError, UserError
from benchmark.core.rows import row_name, split_row

if TYPE_CHECKING:
    from benchmark.core.found import Rejudged
    from benchmark.core.store import Results
    from benchmark.rejudging import Rejudging
    from benchmark.suites import JudgeEntry, Suite
    from benchmark.tables.runs import LoadedRun

AgainOption = Annotated[bool, typer.Option("--again", help="Forget the verdicts that are there.")]
JudgesOption = Annotated[
    list[str],
    typer.Option(
        "--judge",
        help="A name from `list judges`, with settings behind it: llama_guard+model=FOLDER. What "
        "was said is judged again, and no model under test is asked; may be given more than once.",
        autocompletion=several_of("judge"),
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("judge", epilog="Example: judge --method original --judge refusal_words")(judge)


def judge(
    method: MethodOption,
    judges: JudgesOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
    again: AgainOption = False,
    model: ModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    seeds: SeedsOption = "1",
    limit: LimitOption = None,
    settings: SetOption = [],  # noqa: B006
    config: ConfigOption = None,
    preset: PresetOption = None,
    gradient_checkpointing: CheckpointingOption = None,
    force: ForceOption = False,
    defaults: DefaultsOption = False,
    device: DeviceOption = "auto",
    trust_remote_code: TrustOption = False,
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
    """Judge the answers, after the stages before it that are not done; with --judge only judge what
    every finished run of the methods has said, by other judges than the suite's."""
    if not judges:
        if again:
            raise UserError("--again goes with --judge; --force repeats the suite's own judges too")
        return staged("judge", "judge")(
            method=method, model=model, suite=suite, seeds=seeds, limit=limit, settings=settings,
            config=config, preset=preset, gradient_checkpointing=gradient_checkpointing,
            force=force, defaults=defaults, device=device, trust_remote_code=trust_remote_code,
            max_gpu_hours=max_gpu_hours, engine=engine, endpoint=endpoint,
            served_model=served_model, checkpoint_every=checkpoint_every, jobs=jobs,
            processes=processes, accelerate=accelerate, timeline=timeline, as_json=as_json,
            results=results,
        )  # fmt: skip
    found = _again(
        judges, method, model, suite=suite, limit=limit, device=device, again=again,
        where=results_at(results),
    )  # fmt: skip
    report("rejudged", found, drawn(rejudged_table), as_json=as_json)
    return 0


def _again(
    judges: Sequence[str],
    method: str,
    model: str | None,
    *,
    suite: str,
    limit: int | None,
    device: str,
    again: bool,
    where: Results,
) -> list[Rejudged]:
    from benchmark.suites import load_suite

    named = [row_name(*split_row(name)) for name in read_methods(method)]
    methods = [] if method == EVERY else named
    models = read_models(model, suite=suite, method=method)
    loaded = load_suite(suite)
    panel = panel_of(judges, loaded)
    runs = [
        run
        for model in models
        for run in finished_runs(where, suite=loaded.name, model=model)
        if run.record.spec.limit == limit
        and (not methods or run.record.spec.method.partition("@")[0] in methods)
    ]
    if not runs:
        raise MissingError(
            f"no finished run of {', '.join(methods) or 'any method'} on {', '.join(models)}, "
            f"suite '{loaded.name}' lies in {where.local_records}; `run` makes one"
        )
    rejudging = rejudging_by(loaded, panel, where=where, device=device, again=again)
    return [facts_of(run, one) for run in runs for one in rejudging.judge(run)]


def panel_of(judges: Sequence[str], suite: Suite) -> list[JudgeEntry]:
    """The judges that were typed: one of the suite's by its name, or a plugin with settings."""
    from benchmark.stages.panel import settings_of
    from benchmark.suites import JudgeEntry

    known = {entry.name: entry for entry in suite.panel}
    panel = []
    for typed in judges:
        plugin, settings = split_row(typed)
        # A second one of a name that the suite gave is called by all that was typed.
        name = plugin if plugin not in known else row_name(plugin, settings)
        entry = JudgeEntry(judge=plugin, name=name, settings=settings)
        panel.append(known[plugin] if plugin in known and not settings else entry)
        settings_of(panel[-1])
    names = [entry.name for entry in panel]
    if len(set(names)) < len(names):
        raise UserError("--judge names a judge twice")
    return panel


def rejudging_by(
    suite: Suite, panel: Sequence[JudgeEntry], *, where: Results, device: str, again: bool
) -> Rejudging:
    say("loading ...")
    from benchmark.progress import Reporter
    from benchmark.rejudging import Rejudging
    from benchmark.stages.resolve import device_of

    return Rejudging(
        suite, panel, results=where, device=device_of(device), again=again, reporter=Reporter()
    )


def finished_runs(where: Results, *, suite: str, model: str) -> list[LoadedRun]:
    """The finished runs here; what cannot be read is said."""
    from benchmark.tables.runs import board_folder, read_runs

    runs, warnings = read_runs(
        board_folder(where.local_records, suite=suite, model=model), source="local",
        wanted=lambda record: record.status == "done",
    )  # fmt: skip
    for warning in warnings:
        say(f"warning: {warning}")
    return runs
