"""`plot`: pictures of what happened in a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import (
    DEFAULT_SUITE,
    OneModelOption,
    ResultsOption,
    SuiteOption,
    read_model,
    results_at,
)
from benchmark.commands.output import show
from benchmark.core.errors import UserError

if TYPE_CHECKING:
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
    run: Annotated[
        str, typer.Argument(help="A record's JSON file, or a row: yours, else the published one.")
    ],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which seed of the row.")] = 0,
    to: ToOption = None,
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    results: ResultsOption = None,
) -> int:
    """Draw every loss term of a run and the weighted total, phase by phase."""
    from benchmark.tables.figures.canvas import write_picture
    from benchmark.tables.figures.curves import LossCurves, curves_of
    from benchmark.tables.runs import find_record, read_record

    where = results_at(results)
    if run.endswith(".json"):
        path = Path(run)
    else:
        name = read_model(model, suite=suite)
        path = find_record(where, suite=suite, model=name, method=run, seed=seed)
    record = read_record(path)
    curves = curves_of(record.training.curves) if record.training else ()
    if not curves:
        raise UserError(f"{path}: '{record.spec.method}' has no training to plot")
    assert record.training is not None
    spec = record.spec
    target = to or _place(where, record, "losses")
    write_picture(
        target,
        LossCurves(
            title=f"{spec.method}, seed {spec.seed}, on {spec.model}",
            caption=f"Loss of each term before its weight, and the weighted sum that is minimised, "
            f"by step; {record.training.n_steps} steps in all.",
            curves=curves,
        ),
    )
    show(str(target))
    return 0


def _place(results: Results, record: RunRecord, what: str) -> Path:
    """Where a picture of a run goes unless told."""
    spec = record.spec
    local = results.record(
        suite=spec.suite, model=spec.model, method=spec.method, seed=spec.seed, limit=spec.limit
    )
    folder = results.root / "local" / "plots" / local.parent.relative_to(results.local_records)
    return folder / f"{local.stem}.{what}.png"
