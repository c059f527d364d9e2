"""Options of the commands that work on one run of one method, trained if it is not yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.completing import one_of
from benchmark.commands.options import read_methods, read_model, read_overrides, results_at
from benchmark.commands.output import say
from benchmark.core.errors import UserError
from benchmark.core.store import check_writable

if TYPE_CHECKING:
    from benchmark.stages.resolve import RunRequest

OneMethodOption = Annotated[
    str,
    typer.Option("--method", help="A name from `list methods`.", autocompletion=one_of("method")),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Which seed of the method.")]


def one_request(
    method: str,
    *,
    seed: int,
    model: str | None,
    suite: str,
    settings: list[str],
    config: Path | None,
    defaults: bool,
    device: str,
    results: Path | None,
    trust_remote_code: bool = False,
    doing: str = "drawn",
) -> RunRequest:
    """What one run of one method is asked for; read before torch is imported. `doing` is what is
    done with it, for whoever names several."""
    names = read_methods(method)
    if len(names) != 1:
        raise UserError(f"--method '{method}': one method is {doing} at a time")
    overrides = read_overrides(settings, config)
    root = results_at(results).root
    check_writable(root)
    target = read_model(model, suite=suite)
    say(f"{names[0]} on {target}, suite {suite}, seed {seed}; loading ...")

    from benchmark.runner import RunRequest

    return RunRequest(
        method=names[0], model=target, suite=suite, seed=seed,
        overrides=overrides, device=device, tuned=not defaults, results=root,
        trust_remote_code=trust_remote_code,
    )  # fmt: skip
