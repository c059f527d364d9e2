"""`plot`: pictures of what happened in a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import (
    DEFAULT_SUITE,
    OneModelOption,
    ResultsOption,
    SuiteOption,
    results_at,
)
from benchmark.commands.output import JsonOption, report
from benchmark.commands.showing import LimitOption, RowArgument, SeedOption, run_of, untouched
from benchmark.core.errors import UserError

if TYPE_CHECKING:
    from benchmark.core.found import Drawn
    from benchmark.core.records import RunRecord
    from benchmark.core.store import Results

plot = typer.Typer(
    help="Draw what happened in a run, as PNG.",
    epilog="Example: plot run textual_unlearning",
    no_args_is_help=True,
)

ToOption = Annotated[
    Path | None, typer.Option("--to", help="The PNG file, instead of one in results/local/plots.")
]


def add_to(app: typer.Typer) -> None:
    """Add the group; each of its commands is added where it is defined."""
    app.add_typer(plot, name="plot")


@plot.command("run", epilog="Example: plot run textual_unlearning --seed 1")
def plot_run(
    run: RowArgument,
    seed: SeedOption = None,
    limit: LimitOption = None,
    to: ToOption = None,
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Draw every loss term of a run, phase by phase, and its attack success by form.

    Attack success goes into a file of its own beside the losses; what a run does not have is not
    drawn.
    """
    from benchmark.tables.figures.canvas import write_picture
    from benchmark.tables.figures.of_run import forms_picture, losses_picture

    where = results_at(results)
    found = run_of(run, where, model=model, suite=suite, seed=seed, limit=limit)
    record = found.record
    base = untouched(where, found)
    target = to or _place(where, record, "losses")
    pictures = {
        target: losses_picture(record),
        _beside(target, "forms"): forms_picture(record, base.record if base else None),
    }
    drawn = {path: picture for path, picture in pictures.items() if picture is not None}
    if not drawn:
        raise UserError(
            f"{found.path}: '{record.spec.method}' has no training and no figures to plot"
        )
    for path, picture in drawn.items():
        write_picture(path, picture)
    report("plot run", drawn_in(*drawn), words, as_json=as_json)
    return 0


def drawn_in(*files: Path, lines: Sequence[str] = ()) -> Drawn:
    """What was drawn, for programs."""
    from benchmark.core.found import Drawn

    return Drawn(files=[str(path) for path in files], lines=list(lines))


def words(found: Drawn) -> str:
    """What was drawn, for people."""
    return "\n".join([*found.lines, *found.files])


def _beside(target: Path, what: str) -> Path:
    """`0.losses.png` and `0.forms.png`, or `mine.png` and `mine.forms.png`."""
    stem = target.stem.removesuffix(".losses")
    return target.with_name(f"{stem}.{what}.png")


def _place(results: Results, record: RunRecord, what: str) -> Path:
    """Where a picture of a run goes unless told."""
    local = results.record_of(record.spec)
    folder = results.root / "local" / "plots" / local.parent.relative_to(results.local_records)
    return folder / f"{local.stem}.{what}.png"
