"""`schema`: what each command prints with `--json`, as JSON Schema."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from benchmark.commands.completing import among
from benchmark.commands.output import TYPES, adapter_of, show
from benchmark.core.errors import unknown


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("schema", epilog="Example: schema compare")(schema)


def schema(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND]",
            help="A command, such as show or plot run; `record` is a run's record.",
            autocompletion=among(TYPES),
        ),
    ] = None,
) -> int:
    """Print the JSON Schema of what a command prints with --json; without a name, the names."""
    command = " ".join(words or [])
    if not command:
        show("\n".join(TYPES))
        return 0
    if command not in TYPES:
        unknown("command with JSON output", command, TYPES)
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    found |= adapter_of(command).json_schema(mode="serialization")
    show(json.dumps(found, indent=2))
    return 0
