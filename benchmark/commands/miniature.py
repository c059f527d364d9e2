"""`testbed`: the models of the miniature world, trained from nothing or measured once more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import ResultsOption, results_at
from benchmark.commands.output import JsonOption, drawn, report
from benchmark.core.errors import UserError, unknown
from benchmark.core.store import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from benchmark.core.found import TestbedTrained
    from benchmark.testbed.records import BaseRecord


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("testbed", epilog="Example: testbed --variant unaligned --seed 1")(train_testbed)


def train_testbed(
    variant: Annotated[
        str,
        typer.Option(
            "--variant",
            help="default, unaligned, stage2, gold, an ablation; privacy, privacy_gold5, "
            "privacy_gold10 or privacy_gold_validation, which go on from the shipped default.",
        ),
    ] = "default",
    architecture: Annotated[
        str, typer.Option("--architecture", help="llava, or qwen: Qwen2.5-VL.")
    ] = "llava",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of weights, data and order.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", help="The checkpoint's folder.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="Of the CPU; if not given, as torch has them."),
    ] = None,
    measure: Annotated[
        Path | None,
        typer.Option("--measure", help="Only measure this checkpoint anew, and write it down."),
    ] = None,
    retrieval: Annotated[
        bool, typer.Option("--retrieval", help="Only find the texts that go with pictures (TGA).")
    ] = False,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Train a model of the miniature world from nothing and print its acceptance table.

    It goes into its card's place when nothing is there, else into results/local/testbed. Stages
    that are done are not repeated. With --measure nothing is trained: a finished checkpoint is
    asked anew. With --retrieval it is the dual encoder that is trained, which finds a text for each
    captioned picture; its table goes to --output, by default in place of the shipped one.
    """
    if retrieval and measure is not None:
        raise UserError("--retrieval and --measure: one of them at a time")
    if retrieval:
        return _retrieve(output, as_json=as_json)
    root = results_at(results).root
    check_writable(root)
    folder = root / "local" / "testbed"
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    if measure is not None:
        from benchmark.testbed.recipe import measure_again

        record, output = measure_again(measure, images=folder / "stages" / "images"), measure
    else:
        place = _card_place(architecture, variant, seed)
        output = output or place or folder / f"{architecture}-{variant}-{seed}"
        record = _trained(architecture, variant, seed, folder / "stages", output=output)
    report("testbed", _found(record, output), _in_words(record, output), as_json=as_json)
    return 0


def _trained(
    architecture: str, variant: str, seed: int, cache: Path, *, output: Path
) -> BaseRecord:
    from benchmark.testbed.architectures import ARCHITECTURES
    from benchmark.testbed.recipe import (
        PRIVACY_VARIANTS,
        VARIANTS,
        build_model,
        build_privacy_model,
    )

    if architecture not in ARCHITECTURES:
        unknown("architecture", architecture, ARCHITECTURES)
    if variant in PRIVACY_VARIANTS:
        if architecture != "llava":
            raise UserError(
                f"--architecture {architecture}: '{variant}' goes on from testbed-llava; "
                "leave --architecture out"
            )
        return build_privacy_model(variant, seed, cache=cache, output=output)
    if variant not in VARIANTS:
        unknown("variant", variant, (*VARIANTS, *PRIVACY_VARIANTS))
    return build_model(variant, seed, architecture=architecture, cache=cache, output=output)


def _found(record: BaseRecord, output: Path) -> TestbedTrained:
    from benchmark.core.found import TestbedTrained
    from benchmark.testbed.records import RECORD

    figures = record.acceptance.figures if record.acceptance else []
    return TestbedTrained(
        output=str(output),
        record=str(output / RECORD),
        figures={figure.name: figure.value for figure in figures},
    )


def _in_words(record: BaseRecord, output: Path) -> Callable[[TestbedTrained], str]:
    def printed(console: Console, _found: TestbedTrained) -> None:
        from rich.markdown import Markdown

        from benchmark.testbed.recipe.model_card import acceptance_table

        console.print(Markdown(acceptance_table(record.acceptance)))
        for stage, seconds in record.seconds_per_stage.items():
            console.print(f"{stage}: {seconds:.0f} s")
        console.print(
            f"\nthe checkpoint is {output}; make bench METHOD=original MODEL={output} runs it",
            soft_wrap=True,
            markup=False,
        )

    return drawn(printed)


def _retrieve(output: Path | None, *, as_json: bool) -> int:
    from benchmark.core.found import TestbedTrained
    from benchmark.testbed.recipe.retrieval import retrieve
    from benchmark.testbed.tables.captioned import RETRIEVED

    output = output or RETRIEVED
    found = TestbedTrained(output=str(output), record=None, figures=dict(retrieve(output)))
    report("testbed", found, _retrieved, as_json=as_json)
    return 0


def _retrieved(found: TestbedTrained) -> str:
    lines = [f"{name}: {figure}" for name, figure in found.figures.items()]
    return "\n".join([*lines, f"the retrieved texts are in {found.output}"])


def _card_place(architecture: str, variant: str, seed: int) -> Path | None:
    """Where the variant's card expects it, if it is a shipped one and is not there yet."""
    from benchmark.core import registry
    from benchmark.models import load_card

    name = _card_name(architecture, variant, seed)
    if name not in registry.names("model"):
        return None
    folder = load_card(name).folder
    return folder if folder is not None and not (folder / "config.json").exists() else None


def _card_name(architecture: str, variant: str, seed: int) -> str:
    """What the card of a variant would be called; those of other seeds than 0 bear it."""
    if variant.startswith("privacy"):
        name = f"testbed-{variant.replace('_', '-')}"
    else:
        name = f"testbed-{architecture}" + ("" if variant == "default" else f"-{variant}")
    return name if seed == 0 else f"{name}-{seed}"
