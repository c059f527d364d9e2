"""`ask`: one request to the untouched model and to a method's, in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.one_method import OneMethodOption, SeedOption, one_request
from benchmark.commands.options import (
    DEFAULT_SUITE,
    OneModelOption,
    ResultsOption,
    SuiteOption,
    TrustOption,
)
from benchmark.commands.output import JsonOption, drawn, report, say
from benchmark.commands.running import ConfigOption, DefaultsOption, DeviceOption, SetOption
from benchmark.core.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from benchmark.core.found import Asked
    from benchmark.core.samples import ImageFile
    from benchmark.probes.asking import Conversation

IMAGE = ":image"
HELP = f"a request, `{IMAGE} FILE` to show a picture with the next ones, `{IMAGE}` to stop; " \
    "end with Ctrl-D"  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("ask", epilog="Example: ask --sample testbed-harmful/test/zozoke+direct.0")(ask)


def ask(
    prompt: Annotated[
        str | None,
        typer.Argument(help="What to ask; without it or --sample, one line after another."),
    ] = None,
    method: OneMethodOption = "textual_unlearning",
    image: Annotated[
        Path | None, typer.Option("--image", help="A picture that is shown with it.")
    ] = None,
    sample: Annotated[
        str | None, typer.Option("--sample", help="Ask a prompt of the evaluation, by its id.")
    ] = None,
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
    """Ask the untouched model and a method's, and show both answers; trains it if need be.

    Without a prompt it reads one per line, from the terminal or a pipe; with --json each is a line
    of its own. Answers are shown as they are, and kept nowhere.
    """
    if sample is not None and (prompt is not None or image is not None):
        raise UserError("--sample has a prompt and a picture of its own; give one or the other")
    if image is not None and not image.is_file():
        raise UserError(f"--image {image}: there is no such file")
    request = one_request(
        method, seed=seed, model=model, suite=suite, settings=settings, config=config,
        defaults=defaults, device=device, results=results,
        trust_remote_code=trust_remote_code, doing="asked",
    )  # fmt: skip
    from benchmark.probes.asking import Conversation, picture_of, sample_called
    from benchmark.progress import Reporter

    # What is wrong with a question is said before a model is trained for it.
    picture = picture_of(request, image) if image is not None else None
    called = sample_called(request, sample) if sample is not None else None
    if prompt is not None and not prompt.strip() and picture is None:
        raise UserError("there is nothing to ask: give a prompt, an image or both")
    talk = Conversation(request, reporter=Reporter())
    if called is not None:
        answers = iter([talk.ask_sample(called)])
    elif prompt is not None:
        answers = iter([talk.ask(prompt, picture, shown=str(image))])
    else:
        answers = _answered(talk, picture, image)
    for asked in answers:
        report("ask", asked, drawn(_print), as_json=as_json, indent=None)
    return 0


def _answered(talk: Conversation, picture: ImageFile | None, shown: Path | None) -> Iterator[Asked]:
    """One line after another, with the picture that was last shown."""
    from benchmark.probes.asking import picture_of

    for line in _lines():
        command, _, rest = line.partition(" ")
        try:
            if command == IMAGE:
                path = Path(rest.strip()) if rest.strip() else None
                picture = picture_of(talk.request, path) if path is not None else None
                shown = path
            else:
                yield talk.ask(line, picture, shown=str(shown))
        except UserError as error:
            # Whoever is typing tries again; a pipe is not to stop at one bad line either.
            say(f"error: {error}")


def _lines() -> Iterator[str]:
    """What is typed, or comes through a pipe, line by line; empty lines are nothing."""
    if not sys.stdin.isatty():
        yield from filter(None, map(str.strip, sys.stdin))
        return
    import readline  # noqa: F401 (its import is what lets one edit what one types)

    print(HELP, file=sys.stderr)
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            return
        if line:
            yield line


def _print(console: Console, asked: Asked) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), width=80, pad_edge=False)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(ratio=1, overflow="fold")
    table.add_row("asked", Text(asked.prompt))
    if asked.image is not None:
        table.add_row("shown", Text(asked.image))
    table.add_row("original", Text(_said(asked.before, truncated=asked.before_truncated)))
    after = _said(asked.after, truncated=asked.after_truncated)
    table.add_row(asked.method, Text("(the same)" if asked.after == asked.before else after))
    console.print(table)


def _said(text: str, *, truncated: bool) -> str:
    return f"{text} [cut off]" if truncated else text or "(nothing)"
