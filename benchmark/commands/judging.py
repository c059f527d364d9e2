"""`judge`, also by other judges over stored answers, and `judge-quality`: how often judges err."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.completing import several_of
from benchmark.commands.engines import EndpointOption, EngineOption, ServedModelOption
from benchmark.commands.judged import facts_of, quality_table, rejudged_table
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
    from benchmark.core.records import JudgeInfo
    from benchmark.core.store import Results
    from benchmark.rejudging import Rejudging
    from benchmark.suites import JudgeEntry, Suite
    from benchmark.tables.judges.measured import Measured
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
# They ask no model, and take no time.
AT_HAND = ("target_string", "references")
N_WANTED = 1000


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("judge", epilog="Example: judge --method original --judge refusal_words")(judge)
    app.command("judge-quality", epilog="Example: judge-quality --model testbed-llava")(
        judge_quality
    )


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


def judge_quality(
    judges: JudgesOption = [],  # noqa: B006
    model: ModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    device: DeviceOption = "auto",
    again: AgainOption = False,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Measure judges: on gold cases, and against the truth on the answers of your own runs in the
    miniature world, with what correcting for their errors makes of attack success.

    Judges that ask a model take part where --judge names them with one.
    """
    where = results_at(results)
    models = read_models(model, suite=suite, method=EVERY)
    found = [
        _measured(judges, name, suite=suite, device=device, again=again, where=where)
        for name in models
    ]
    for one in found:
        if one.n_answers < N_WANTED:
            say(_few(one, suite))
    report("judge-quality", found, drawn(quality_table), as_json=as_json)
    return 0


def _few(measured: Measured, suite: str) -> str:
    """What more answers would tell, and how they are had."""
    from benchmark.scoring.calibration import TRUTH
    from benchmark.suites import load_suite

    if TRUTH not in [entry.name for entry in load_suite(suite).panel]:
        return (
            f"suite '{suite}' knows no truth: gold cases alone; answers are compared with "
            f"it in the miniature world (--suite {DEFAULT_SUITE})"
        )
    if measured.n_answers:
        return (
            f"{measured.model}: {measured.n_answers} answers are few; {N_WANTED} or more tell "
            "judges apart"
        )
    return (
        f"{measured.model}: no answers here whose truth is known, gold cases alone; `python -m "
        f"benchmark run --method original,always_refuse,gold --model {measured.model} --suite "
        f"{suite}` makes them"
    )


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
        for run in _runs(where, suite=loaded.name, model=model)
        if run.record.spec.limit == limit
        and (not methods or run.record.spec.method.partition("@")[0] in methods)
    ]
    if not runs:
        raise MissingError(
            f"no finished run of {', '.join(methods) or 'any method'} on {', '.join(models)}, "
            f"suite '{loaded.name}' lies in {where.local_records}; `run` makes one"
        )
    rejudging = _rejudging(loaded, panel, where=where, device=device, again=again)
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


def _rejudging(
    suite: Suite, panel: Sequence[JudgeEntry], *, where: Results, device: str, again: bool
) -> Rejudging:
    say("loading ...")
    from benchmark.progress import Reporter
    from benchmark.rejudging import Rejudging
    from benchmark.stages.resolve import device_of

    return Rejudging(
        suite, panel, results=where, device=device_of(device), again=again, reporter=Reporter()
    )


def _runs(where: Results, *, suite: str, model: str) -> list[LoadedRun]:
    """The finished runs here; what cannot be read is said."""
    from benchmark.tables.runs import board_folder, read_runs

    runs, warnings = read_runs(
        board_folder(where.local_records, suite=suite, model=model), source="local",
        wanted=lambda record: record.status == "done",
    )  # fmt: skip
    for warning in warnings:
        say(f"warning: {warning}")
    return runs


def _measured(
    judges: Sequence[str], model: str, *, suite: str, device: str, again: bool, where: Results
) -> Measured:
    """The judges of the runs' own records, those at hand, and those that were named; on gold cases
    alone where no run tells the truth."""
    from dataclasses import replace

    from benchmark.suites import load_suite
    from benchmark.tables.boards import board_from
    from benchmark.tables.judges.measured import TRUTH, measured_of

    loaded = load_suite(suite)
    runs = _runs(where, suite=loaded.name, model=model)
    if not any(row.judge == TRUTH for run in runs for row in run.rows):
        return _on_gold(judges, loaded, model=model, device=device)
    there = {info.name for run in runs for info in run.record.judges}
    panel = panel_of([*(name for name in AT_HAND if name not in there), *judges], loaded)
    rejudging = _rejudging(loaded, panel, where=where, device=device, again=again)
    widened: list[LoadedRun] = []
    infos: dict[str, JudgeInfo] = {}
    for run in runs:
        try:
            found = rejudging.judge(run)
        except MissingError as error:
            say(f"left out of {', '.join(e.name for e in panel)}: {error}")
            found = []
        infos |= {one.info.name: one.info for one in found}
        more = [row for one in found for row in one.rows if one.info.name not in there]
        widened.append(replace(run, rows=[*run.rows, *more]))
    board = board_from(widened, [], suite=loaded.name, model=model)
    measured = measured_of(widened, board, infos=list(infos.values()), limited=True)
    assert measured is not None, "the truth is among its rows"
    return measured


def _on_gold(judges: Sequence[str], suite: Suite, *, model: str, device: str) -> Measured:
    """The suite's judges that ask no model, those at hand, and those that were named."""
    say("loading ...")
    from benchmark.judges import measure
    from benchmark.stages.panel import seated, settings_of
    from benchmark.stages.resolve import device_of
    from benchmark.tables.judges.measured import Measured

    own = [entry.name for entry in suite.panel if settings_of(entry) is None]
    names = dict.fromkeys([*own, *AT_HAND, *judges])
    seats = seated(panel_of([*names], suite), metrics={}, device=device_of(device), note=say)
    infos = [measure(seat.judge, name=seat.name, plugin=seat.plugin) for seat in seats]
    return Measured(
        suite=suite.name, model=model, judges=infos, n_answers=0, qualities=[], corrections=[],
        agreements=[], firsts={},
    )  # fmt: skip
