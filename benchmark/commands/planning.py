"""`plan`: what a run would take, before anything starts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import (
    DEFAULT_SUITE,
    OneModelOption,
    ResultsOption,
    SuiteOption,
    read_methods,
    read_model,
    read_overrides,
    read_seeds,
    results_at,
)
from benchmark.commands.output import JsonOption, drawn, report, say
from benchmark.commands.running import (
    CheckpointingOption,
    ConfigOption,
    DefaultsOption,
    DeviceOption,
    LimitOption,
    PresetOption,
    SeedsOption,
    SetOption,
    check_preset,
)
from benchmark.core.errors import UserError
from benchmark.core.store import check_writable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from benchmark.planning.planned import Planned, PlannedStage

WIDTH = 80
GpuOption = Annotated[
    str | None,
    typer.Option(
        "--gpu", help="Plan for a GPU that need not be here: a100-80gb, h100-80gb, rtx-4090 ..."
    ),
]
PeakOption = Annotated[
    float | None,
    typer.Option("--peak-tflops", help="The device's peak, in place of its data sheet's."),
]
MfuOption = Annotated[
    float | None,
    typer.Option("--mfu", help="Share of the peak that is reached where none was measured."),
]
CharactersOption = Annotated[
    float | None,
    typer.Option("--characters-per-token", help="Where the model's tokenizer is not here."),
]


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        "plan",
        epilog="Example: plan --method textual_unlearning --model llava-1.5-7b --gpu a100-80gb",
    )(plan)


def plan(
    method: Annotated[str, typer.Option("--method", help="A name from `list methods`.")],
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    preset: PresetOption = None,
    gradient_checkpointing: CheckpointingOption = None,
    seeds: SeedsOption = "1",
    limit: LimitOption = None,
    settings: SetOption = [],  # noqa: B006 (typer reads the default, nobody changes it)
    config: ConfigOption = None,
    defaults: DefaultsOption = False,
    device: DeviceOption = "auto",
    gpu: GpuOption = None,
    peak_tflops: PeakOption = None,
    mfu: MfuOption = None,
    characters_per_token: CharactersOption = None,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Say what a run would take: memory and disk by part, steps, tokens, operations and
    device-hours by stage.

    Nothing is loaded or downloaded. Hours are as measured where there are records of the model on
    the same kind of device, else reckoned from operations; what is assumed is printed.
    """
    names = read_methods(method)
    if len(names) != 1:
        raise UserError(f"--method '{method}': one method is planned at a time")
    numbers, overrides = read_seeds(seeds), read_overrides(settings, config)
    check_preset(preset, names)
    _check_numbers(peak_tflops=peak_tflops, characters=characters_per_token, mfu=mfu)
    gpu = gpu or _gpu_of(preset)
    target = read_model(model, suite=suite)
    root = results_at(results).root
    check_writable(root)
    say(f"{names[0]} on {target}, suite {suite}; reckoning ...")
    # It complains at import that an optional kernel is not installed.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from benchmark.planning.hours import Clock
    from benchmark.planning.plan import CHARACTERS_PER_TOKEN, PlanRequest
    from benchmark.planning.plan import plan as planned
    from benchmark.stages.resolve import RunRequest, device_of

    where = "cuda" if gpu is not None else device_of(device)
    run = RunRequest(
        method=names[0], model=target, suite=suite, seed=numbers[0], limit=limit,
        overrides=overrides, preset=preset, tuned=not defaults, device=where, results=root,
        gradient_checkpointing=gradient_checkpointing,
    )  # fmt: skip
    peak = 1e12 * peak_tflops if peak_tflops is not None else None
    found = planned(
        PlanRequest(
            run=run,
            seeds=numbers,
            clock=Clock(device=where, gpu=gpu, peak_flops=peak, mfu=mfu),
            characters_per_token=characters_per_token or CHARACTERS_PER_TOKEN,
        )
    )
    report("plan", found, drawn(_print), as_json=as_json)
    return 0


def _check_numbers(
    *, peak_tflops: float | None, characters: float | None, mfu: float | None
) -> None:
    for option, number in {
        "--peak-tflops": peak_tflops, "--characters-per-token": characters,
    }.items():  # fmt: skip
        if number is not None and not number > 0:
            raise UserError(f"{option} '{number:g}': expected more than 0")
    if mfu is not None and not 0 < mfu <= 1:
        raise UserError(f"--mfu '{mfu:g}': expected a share, above 0 and at most 1")


def _gpu_of(preset: str | None) -> str | None:
    from benchmark.presets import load_preset

    return load_preset(preset).gpu if preset is not None else None


# -- in words -----------------------------------------------------------------------------------


def _print(console: Console, found: Planned) -> None:
    from rich.text import Text

    preset = f", preset {found.preset}" if found.preset else ""
    console.print(Text(f"{found.method} on {found.model}, suite {found.suite}{preset}"))
    tuning = ", ".join(f"{role} {how}" for role, how in found.tuning.items()) or "nothing"
    seeds = "1 seed" if found.n_seeds == 1 else f"{found.n_seeds} seeds"
    how = ", gradient checkpointing" if found.gradient_checkpointing else ""
    console.print(Text(f"weights in {found.precision}; trained: {tuning}{how}; {seeds}"))
    counted = (f"{name} {_number(n)}" for name, n in found.parameters.items())
    console.print(Text(f"parameters: {', '.join(counted)}"))
    for title, parts in (
        ("memory of a training step", found.training_memory),
        ("memory of answering", found.answering_memory),
        ("disk", found.disk),
    ):
        if parts:
            console.print(Text(f"\n{title}: {_bytes(sum(parts.values()))}"))
            console.print(_parts(parts))
    console.print(_room(found))
    console.print(_stages(found))
    _tell(console, "assumed", found.assumptions)
    _tell(console, "note", found.notes)


def _parts(parts: dict[str, float]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    table.add_column(width=28)
    table.add_column(justify="right", width=12)
    for name, n_bytes in parts.items():
        table.add_row(name, _bytes(n_bytes))
    return table


def _room(found: Planned) -> RenderableType:
    from rich.text import Text

    if found.fits is None or found.device.memory_bytes is None:
        return Text("")
    has = _bytes(found.device.memory_bytes)
    fits = "fits" if found.fits else "DOES NOT FIT"
    return Text(f"{fits} on {found.device.name}, which has {has}\n")


def _stages(found: Planned) -> RenderableType:
    from rich.table import Table

    hours = "GPU-hours" if found.device.unit == "gpu" else "core-hours"
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), width=WIDTH)
    table.add_column("stage", ratio=1)
    for title in ("steps", "samples", "text", "image", "answer", "FLOP", hours):
        table.add_column(title, justify="right", no_wrap=True)
    for stage in found.stages:
        table.add_row(
            stage.name,
            *(_number(n) for n in (stage.n_steps, stage.n_samples)),
            *(_number(n) for n in (stage.n_text_tokens, stage.n_image_tokens)),
            *(_number(n) for n in (stage.n_answer_tokens, stage.flops)),
            _hours(stage),
        )
    total = f"{found.device_h:.2g}" if found.device_h is not None else "n/a"
    table.add_row("all", *[""] * 6, total)
    return table


def _tell(console: Console, title: str, lines: list[str]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for line in lines:
        console.print(Padding(Text(f"{title}: {line}"), (0, 0)), width=WIDTH)


def _hours(stage: PlannedStage) -> str:
    if stage.device_h is None:
        return "n/a"
    mark = "*" if stage.how == "measured" else ""
    return f"{stage.device_h:.2g}{mark}"


def _number(value: float | None) -> str:
    """Three digits and a letter."""
    if value is None:
        return "-"
    for size, letter in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _bytes(value: float) -> str:
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.2f} MiB"
