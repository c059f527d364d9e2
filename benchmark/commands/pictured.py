"""`speed pictures`: what pictures add to the cost of unlearning. Measured, never tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.output import JsonOption, report, say
from benchmark.commands.running import DeviceOption
from benchmark.commands.speeding import speed
from benchmark.core.errors import UserError

if TYPE_CHECKING:
    from benchmark.cost.sweep import PictureFigures

SIDES, ANSWERS = "32,48,64,96,128,192", "8,32,128"
MODELS = "llava-1.5-7b,llava-1.5-13b"


def add_to(app: typer.Typer) -> None:
    """Add the command to the group that `speeding` adds."""
    speed.command("pictures", epilog="Example: speed pictures --sides 64,192 --answers 32")(
        speed_pictures
    )


def speed_pictures(
    sides: Annotated[
        str, typer.Option("--sides", help="Of pictures, in pixels: 8 x 8 are a visual token.")
    ] = SIDES,
    answers: Annotated[str, typer.Option("--answers", help="Lengths, in words.")] = ANSWERS,
    samples: Annotated[int, typer.Option("--samples", min=1, help="In each of the pools.")] = 8,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Samples of each pool in a step.")
    ] = 8,
    steps: Annotated[int, typer.Option("--steps", min=1, help="In a training.")] = 8,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Of both, in turns.")] = 3,
    models: Annotated[
        str, typer.Option("--models", help="Cards whose shape the same is reckoned for.")
    ] = MODELS,
    publish: Annotated[
        bool, typer.Option("--publish", help="Keep the figures for leaderboard/cost.md.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> int:
    """Train by text alone and beside pictures of more and more visual tokens: what each costs."""
    say("speed pictures: textual and multimodal unlearning on the same words; loading ...")
    from benchmark.core import environment
    from benchmark.speed.pictures import PictureRequest, measure
    from benchmark.stages.resolve import device_of

    if publish and environment.git().dirty:
        raise UserError("--publish: the tree has changes that are not committed; commit them first")
    request = PictureRequest(
        sides=_numbers(sides, "--sides"),
        answers=_numbers(answers, "--answers"),
        samples=samples,
        batch_size=batch_size,
        steps=steps,
        repeats=repeats,
        device=device_of(device),
        models=tuple(name for name in models.split(",") if name),
    )
    found = measure(request, say=say)
    if publish:
        _publish(found)
    from benchmark.speed.printed_pictures import picture_lines

    report("speed pictures", found, lambda one: "\n".join(picture_lines(one)), as_json=as_json)
    return 0


def _publish(found: PictureFigures) -> None:
    from benchmark.commands.options import results_at
    from benchmark.tables.pictured.files import publish_sweep

    path = publish_sweep(found, results_at(None))
    say(f"kept in {path}; `table` makes leaderboard/cost.md of it")


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"{option} {text}: expected whole numbers with commas between") from None
    if min(found) < 1:
        raise UserError(f"{option} {text}: numbers from 1 up")
    return found
