"""`plot tokens`, `plot gate`, `plot alignment`: what goes on inside a method or a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.one_method import OneMethodOption, SeedOption, one_request
from benchmark.commands.options import (
    DEFAULT_SUITE,
    OneModelOption,
    ResultsOption,
    SuiteOption,
    read_methods,
    read_model,
    results_at,
)
from benchmark.commands.output import JsonOption, report
from benchmark.commands.plotting import ToOption, drawn_in, plot, words
from benchmark.commands.running import (
    ConfigOption,
    DefaultsOption,
    DeviceOption,
    MethodOption,
    SetOption,
)
from benchmark.core.errors import UserError
from benchmark.core.paths import file_name
from benchmark.core.store import check_writable, write_atomic

if TYPE_CHECKING:
    from benchmark.stages.resolve import Run


def add_to(app: typer.Typer) -> None:
    """Add the commands to the group that `plotting` adds."""
    plot.command(
        "tokens",
        epilog="Example: plot tokens --method cagul --sample testbed-harmful/train/ditupu+icon.0",
    )(plot_tokens)
    plot.command("gate", epilog="Example: plot gate --method cagul")(plot_gate)
    plot.command("alignment", epilog="Example: plot alignment --method original,tga,tga_ce_only")(
        plot_alignment
    )


def plot_alignment(
    method: MethodOption,
    seed: SeedOption = 0,
    to: ToOption = None,
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Draw how near images stand to their captions inside the language model, layer by layer.

    On held-out captioned images; a row that was not trained yet is trained first. The figures
    behind the picture go into a CSV file beside it.
    """
    names, where, on = read_methods(method), results_at(results), read_model(model, suite=suite)
    check_writable(where.root)

    from benchmark.probes.alignment import as_csv, nearness_of_rows, picture_of
    from benchmark.progress import Reporter
    from benchmark.stages.resolve import RunRequest
    from benchmark.tables.figures.canvas import write_picture

    requests = [
        RunRequest(method=name, model=on, suite=suite, seed=seed, device=device, results=where.root)
        for name in names
    ]
    folder = where.root / "local" / "plots" / file_name(suite) / file_name(on)
    target = to or folder / f"alignment.{seed}.png"
    found = nearness_of_rows(requests, reporter=Reporter())
    write_picture(target, picture_of(found, title=f"Images and captions in {on}, seed {seed}"))
    write_atomic(target.with_suffix(".csv"), as_csv(found))
    report("plot alignment", drawn_in(target, target.with_suffix(".csv")), words, as_json=as_json)
    return 0


def plot_tokens(
    method: OneMethodOption,
    sample: Annotated[str, typer.Option("--sample", help="A sample's id in the evaluation.")],
    seed: SeedOption = 0,
    to: ToOption = None,
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    settings: SetOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
    config: ConfigOption = None,
    defaults: DefaultsOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Draw what a method goes by on each visual token of one request; trains it if need be."""
    request = one_request(
        method, seed=seed, model=model, suite=suite, settings=settings, config=config,
        defaults=defaults, device=device, results=results,
    )  # fmt: skip
    from benchmark.probes.serving import pictured_sample_of, serving
    from benchmark.probes.tokens import explained_images
    from benchmark.progress import Reporter
    from benchmark.tables.figures.canvas import write_picture
    from benchmark.tables.figures.tokens import TokenPicture

    run, engine = serving(request, reporter=Reporter())
    asked = pictured_sample_of(run, sample)
    target = to or _place(run, f"tokens-{file_name(sample)}")
    write_picture(
        target,
        TokenPicture(
            title=f"{run.spec.method}, seed {seed}, on {run.spec.model}\n{sample}",
            caption=f'Asked: "{asked.prompt}"  Outlined: the tokens chosen.',
            images=explained_images(engine, asked),
        ),
    )
    report("plot tokens", drawn_in(target), words, as_json=as_json)
    return 0


def plot_gate(
    method: OneMethodOption,
    seed: SeedOption = 0,
    to: ToOption = None,
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    settings: SetOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
    config: ConfigOption = None,
    defaults: DefaultsOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Draw how well a method's gate tells attacked pictures from their harmless twins."""
    request = one_request(
        method, seed=seed, model=model, suite=suite, settings=settings, config=config,
        defaults=defaults, device=device, results=results,
    )  # fmt: skip
    import pandas as pd

    from benchmark.probes.gate import readings, roc_curves
    from benchmark.probes.serving import serving
    from benchmark.progress import Reporter
    from benchmark.tables.figures.canvas import write_picture
    from benchmark.tables.figures.roc import COLUMNS, RocPicture, csv_rows

    run, engine = serving(request, reporter=Reporter())
    curves = roc_curves(readings(run, engine))
    if not curves:
        raise UserError(f"suite '{suite}' attacks with no picture that has a harmless twin")
    target = to or _place(run, "gate")
    write_picture(
        target,
        RocPicture(
            title=f"Gate of {run.spec.method}, seed {seed}, on {run.spec.model}",
            caption="Pictures of the evaluation against those of harmless twins in the same form. "
            "Marks: the method's own threshold.",
            curves=tuple(curves),
        ),
    )
    table = pd.DataFrame(csv_rows(curves), columns=list(COLUMNS))
    behind = target.with_suffix(".csv")
    write_atomic(behind, table.to_csv(index=False, lineterminator="\n"))
    found = drawn_in(target, behind, lines=[curve.line for curve in curves])
    report("plot gate", found, words, as_json=as_json)
    return 0


def _place(run: Run, what: str) -> Path:
    """Where a picture goes unless told."""
    spec = run.spec
    folder = run.results.root / "local" / "plots" / file_name(spec.suite) / file_name(spec.model)
    return folder / file_name(spec.method) / f"{spec.seed}.{what}.png"
