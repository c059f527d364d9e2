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

if TYPE_CHECKING:
    from benchmark.core.records import JudgeInfo
    from benchmark.core.store import Results
    from benchmark.suites import Suite
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
    runs = finished_runs(where, suite=loaded.name, model=model)
    if not any(row.judge == TRUTH for run in runs for row in run.rows):
        return _on_gold(judges, loaded, model=model, device=device)
    there = {info.name for run in runs for info in run.record.judges}
    panel = panel_of([*(name for name in AT_HAND if name not in there), *judges], loaded)
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
