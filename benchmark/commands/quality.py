"""`judge-quality`: how often judges err, on gold cases and by the truth on answers of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from benchmark.commands.judged import quality_table
from benchmark.commands.judging import (
    AgainOption,
    JudgesOption,
    finished_runs,
    panel_of,
    rejudging_by,
)
from benchmark.commands.options import (
    DEFAULT_SUITE,
    EVERY,
    ModelOption,
    ResultsOption,
    SuiteOption,
    read_models,
    results_at,
)
from benchmark.commands.output import JsonOption, drawn, report, say
from benchmark.commands.running import DeviceOption
from benchmark.core.errors import MissingError
from benchmark.core.rows import split_row

if TYPE_CHECKING:
    from benchmark.core.records import JudgeInfo
    from benchmark.core.store import Results
    from benchmark.tables.judges.measured import Measured
    from benchmark.tables.runs import LoadedRun

# They ask no model, and take no time.
AT_HAND = ("target_string", "references")
N_WANTED = 1000


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("judge-quality", epilog="Example: judge-quality --model testbed-llava")(
        judge_quality
    )


def judge_quality(
    judges: JudgesOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
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
    measured = [
        _measured(judges, name, suite=suite, device=device, again=again, where=where)
        for name in models
    ]
    found = _with_gold(measured, judges, models, suite=suite, device=device)
    for line in dict.fromkeys(_few(one, suite) for one in found if one.n_answers < N_WANTED):
        say(line)
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


def _measured(
    judges: Sequence[str], model: str, *, suite: str, device: str, again: bool, where: Results
) -> Measured | None:
    """The judges of the runs' own records, those at hand, and those that were named; None where no
    run tells the truth."""
    from dataclasses import replace

    from benchmark.suites import load_suite
    from benchmark.tables.boards import board_from
    from benchmark.tables.judges.measured import TRUTH, measured_of

    loaded = load_suite(suite)
    runs = finished_runs(where, suite=loaded.name, model=model)
    if not any(row.judge == TRUTH for run in runs for row in run.rows):
        return None
    there = {info.name for run in runs for info in run.record.judges}
    panel = panel_of(_beside(judges, [name for name in AT_HAND if name not in there]), loaded)
    rejudging = rejudging_by(loaded, panel, where=where, device=device, again=again)
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
    return measured_of(widened, board, infos=list(infos.values()), limited=True)


def _beside(typed: Sequence[str], names: Sequence[str]) -> list[str]:
    """Judges that were typed, behind those that take part by themselves and were not."""
    plugins = {split_row(name)[0] for name in typed}
    return [*(name for name in names if name not in plugins), *typed]


def _with_gold(
    measured: Sequence[Measured | None],
    judges: Sequence[str],
    models: Sequence[str],
    *,
    suite: str,
    device: str,
) -> list[Measured]:
    """For models without a run that tells the truth, the judges on gold cases alone: those that
    were named, those at hand, and the suite's that ask no model. They are measured once."""
    if all(measured):
        return [one for one in measured if one]
    say("loading ...")
    from benchmark.stages.judge import on_gold
    from benchmark.stages.panel import seated, settings_of
    from benchmark.stages.resolve import device_of
    from benchmark.suites import load_suite
    from benchmark.tables.judges.measured import Measured

    loaded = load_suite(suite)
    own = [entry.name for entry in loaded.panel if settings_of(entry) is None]
    panel = panel_of(_beside(judges, list(dict.fromkeys([*own, *AT_HAND]))), loaded)
    testbed = loaded.requires.vocabulary == "testbed"
    infos = [
        on_gold(seat, testbed=testbed)
        for seat in seated(panel, metrics={}, device=device_of(device), note=say)
    ]
    return [
        one
        or Measured(
            suite=loaded.name, model=model, judges=infos, n_answers=0, qualities=[],
            corrections=[], agreements=[], firsts={},
        )
        for one, model in zip(measured, models, strict=True)
    ]  # fmt: skip
