"""`reproduce`: run what a record says anew, and say how far it agrees."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import (
    DEFAULT_SUITE,
    OneModelOption,
    ResultsOption,
    SuiteOption,
    results_at,
)
from benchmark.commands.output import JsonOption, drawn, report
from benchmark.commands.showing import RowArgument, SeedOption, run_of
from benchmark.core.store import check_writable

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.tables.reproduced import Deviation, Moved, Reproduced

DISAGREES = 1
MOST_SHOWN = 20
SAME = "the same, every one"


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("reproduce", epilog="Example: reproduce textual_unlearning --seed 1")(reproduce)


def reproduce(
    run: RowArgument,
    seed: SeedOption = None,
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    device: Annotated[
        str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:N; else the record's.")
    ] = None,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Run what a record says once more, from nothing, and compare every figure.

    Exit code 1 where one lies outside the recorded figure's 95 % interval. It works in a folder of
    its own, which begins empty unless an earlier attempt was interrupted there: that goes on.
    """
    where = results_at(results)
    if run.endswith(".json"):
        # It names suite and model; where these are files of one's own they are given beside it.
        found = run_of(run, where, model=None, suite=DEFAULT_SUITE, seed=seed)
    else:
        # The row as it was published, not a run of one's own that would be compared with itself.
        found = run_of(run, where, model=model, suite=suite, seed=seed, published_first=True)
    check_writable(where.root)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from benchmark.progress import Reporter
    from benchmark.reproduce import as_recorded
    from benchmark.reproduce import reproduce as run_again

    folder = where.root / "local" / "reproduced" / found.record.run_id
    own_suite = suite if suite != DEFAULT_SUITE else None
    request = as_recorded(found.record, folder=folder, device=device, suite=own_suite, model=model)
    result = run_again(found, request=request, reporter=Reporter())
    report("reproduce", result, drawn(_print), as_json=as_json)
    return 0 if result.agrees else DISAGREES


def _print(console: Console, found: Reproduced) -> None:
    from rich.text import Text

    from benchmark.tables.cells import number

    console.print(Text(f"{found.method} on {found.model}, suite {found.suite}, seed {found.seed}",
                       style="bold"))  # fmt: skip
    console.print(Text(f"recorded: {found.record}\nagain:    {found.again}"), soft_wrap=True)
    console.print(Text(_verdict(found)))
    console.print(f"answers: {SAME if found.same_answers else 'not all the same'}")
    console.print(f"verdicts: {SAME if found.same_verdicts else _moved(found.moved)}")
    for one in sorted(found.deviations, key=_how_far, reverse=True)[:MOST_SHOWN]:
        where = "" if one.within_interval else "  outside its interval"
        figures = f"{_share(one.recorded)} -> {_share(one.again)}"
        console.print(Text(f"  {figures}  {one.metric_id}{where}"), soft_wrap=True)
    if len(found.deviations) > MOST_SHOWN:
        console.print(f"  and {len(found.deviations) - MOST_SHOWN} more (--json has all)")
    if found.training_s is not None and found.training_again_s is not None:
        console.print(
            f"training: {number(found.training_s)} device-seconds there, "
            f"{number(found.training_again_s)} here"
        )
    for difference in found.differs:
        console.print(Text(f"not alike: {difference}"))


def _moved(verdicts: Moved) -> str:
    labels = f"{verdicts.n_labels} of {verdicts.n} labels differ"
    if not verdicts.n_labels:
        labels = f"all {verdicts.n} labels the same"
    if not verdicts.n_scores:
        return labels
    return f"{labels}, {verdicts.n_scores} scores differ, by {verdicts.largest:.1e} at most"


def _how_far(found: Deviation) -> float:
    """A figure that one of the two lacks is further off than any other."""
    return math.inf if found.size is None else found.size


def _verdict(found: Reproduced) -> str:
    if not found.deviations:
        return f"agrees: all {found.n_figures} figures are equal to the last digit"
    count = f"{found.n_equal} of {found.n_figures} figures are equal to the last digit"
    largest = f"the largest difference is {100 * found.largest:.2f} points"
    if found.agrees:
        return f"agrees within intervals: {count}, {largest}; none leaves its 95 % interval"
    n_outside = sum(not one.within_interval for one in found.deviations)
    return f"DISAGREES: {n_outside} figures lie outside their 95 % intervals; {count}, {largest}"


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:z.2f}"
