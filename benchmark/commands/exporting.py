"""`export`: the defended model as files that other software loads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from benchmark.commands.one_method import OneMethodOption, SeedOption, one_request
from benchmark.commands.options import (
    DEFAULT_SUITE,
    OneModelOption,
    ResultsOption,
    SuiteOption,
    TrustOption,
)
from benchmark.commands.output import JsonOption, drawn, report
from benchmark.commands.running import ConfigOption, DefaultsOption, DeviceOption, SetOption
from benchmark.core.errors import UserError
from benchmark.core.paths import file_name, typed_path

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.core.found import Exported
    from benchmark.core.records import RunRecord
    from benchmark.stages.resolve import Run


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("export", epilog="Example: export --method npo --to npo-model")(export_model)


def export_model(
    method: OneMethodOption,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The folder, else one in results/local/exports."),
    ] = None,
    form: Annotated[
        Literal["checkpoint", "adapter"],
        typer.Option("--as", help="A whole checkpoint, the change merged in, or an adapter."),
    ] = "checkpoint",
    seed: SeedOption = 0,
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    settings: SetOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
    config: ConfigOption = None,
    defaults: DefaultsOption = False,
    device: DeviceOption = "auto",
    trust_remote_code: TrustOption = False,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Write a method's model as a transformers checkpoint or a PEFT adapter, with a model card.

    Trains it if need be. What was written is loaded again and must answer like the run's model. A
    method that answers through hooks is refused: no checkpoint can hold them.
    """
    request = one_request(
        method, seed=seed, model=model, suite=suite, settings=settings, config=config,
        defaults=defaults, device=device, results=results,
        trust_remote_code=trust_remote_code, doing="exported",
    )  # fmt: skip
    from benchmark.export.write import check_free, export
    from benchmark.probes.serving import trained
    from benchmark.progress import Reporter
    from benchmark.stages.resolve import resolve

    folder = typed_path(to) if to is not None else _place(resolve(request), form)
    check_free(folder)
    made = trained(request, reporter=Reporter())
    found = export(made, to=folder, form=form, record=_record(made.run))
    report("export", found, drawn(_print), as_json=as_json)
    return 0


def _place(run: Run, form: str) -> Path:
    spec = run.spec
    folder = run.results.root / "local" / "exports" / file_name(spec.suite) / file_name(spec.model)
    return folder / f"{file_name(spec.method)}.{spec.seed}.{form}"


def _record(run: Run) -> tuple[Path, RunRecord] | None:
    """The record of this very run, yours else the published one; None where there is none, or it
    had other settings."""
    from benchmark.tables.finding import Row, find_run

    spec = run.spec
    row = Row(suite=spec.suite, model=spec.model, method=spec.method)
    try:
        found = find_run(run.results, row, seed=run.effective_seed)
    except UserError:
        return None
    return (found.path, found.record) if found.record.spec.config == spec.config else None


def _print(console: Console, found: Exported) -> None:
    from rich.text import Text

    console.print(Text(found.folder), soft_wrap=True)
    console.print(
        f"{found.form} of {found.method}, seed {found.seed}, {found.n_bytes / 2**20:.1f} MiB; "
        f"loaded again it answers {found.n_alike} of {found.n_checked} prompts as the run's own "
        f"model does, first words within {found.largest_difference:.2g} (logits)"
    )
    if found.record is None:
        console.print("its card has no figures: there is no record of this run")
