"""`serve`: the defended model, hooks included, for clients of OpenAI's interface."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from math import isfinite
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
from benchmark.commands.output import JsonOption, report
from benchmark.commands.running import ConfigOption, DefaultsOption, DeviceOption, SetOption
from benchmark.core.errors import MissingError, UserError

if TYPE_CHECKING:
    from benchmark.core.found import Offered
    from benchmark.stages.resolve import RunRequest

HostOption = Annotated[
    str, typer.Option("--host", help="Where to listen; 0.0.0.0 lets other machines ask.")
]
PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="On which port; 0 takes a free one.")
]
TokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", min=1, help="Of an answer; if not given, the suite's limit."),
]
WaitingOption = Annotated[
    int, typer.Option("--max-waiting", min=0, help="Requests that may wait; others get a 503.")
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=1.0, help="Seconds for one request, waiting included.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("serve", epilog="Example: serve --method self_reminder --port 0")(serve)


def serve(
    method: OneMethodOption,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    max_tokens: TokensOption = None,
    max_waiting: WaitingOption = 64,
    timeout: TimeoutOption = 600.0,
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
    """Serve a method's model, its hooks included, over OpenAI's chat completions.

    Trains it if need be. Answers are greedy and come one at a time, in the
    order of the requests, as a stream or whole; a temperature other than 0 is
    refused. Pictures come as data: URLs and are never fetched. Nobody is asked
    for a key, and nothing that is asked is kept. Ctrl-C ends it.
    """
    for package in ("starlette", "uvicorn"):
        if find_spec(package) is None:
            raise MissingError(
                f"`serve` needs {package}, which is not installed: "
                ".venv/bin/python -m pip install -c constraints.txt -e '.[serve]'"
            )
    if not isfinite(timeout):
        raise UserError(f"--timeout '{timeout}': expected seconds")
    request = one_request(
        method, seed=seed, model=model, suite=suite, settings=settings, config=config,
        defaults=defaults, device=device, results=results,
        trust_remote_code=trust_remote_code, doing="served",
    )  # fmt: skip
    from benchmark.probes.serving import trained
    from benchmark.progress import Reporter
    from benchmark.serving.limits import Limits
    from benchmark.serving.server import listening, offer

    n_tokens = _checked(request, max_tokens)
    limits = Limits(max_tokens=n_tokens, max_waiting=max_waiting, timeout_s=timeout)
    # A port that is taken is found out before a model is trained.
    with listening(host, port) as at:
        offering, offered = offer(trained(request, reporter=Reporter()), limits=limits, at=at)
        report("serve", offered, _words, as_json=as_json, indent=None)
        # The usual way to end it.
        with suppress(KeyboardInterrupt):
            offering.serve()
    return 0


def _checked(request: RunRequest, max_tokens: int | None) -> int:
    """Tokens of the longest answer. Raises `UserError` for a method that cannot be served."""
    from benchmark.stages.resolve import resolve

    run = resolve(request)
    if run.method.oracle:
        raise UserError(
            f"method '{run.spec.method}' is told what a request is for, and no client says so: "
            "it cannot be served"
        )
    return max_tokens or run.spec.max_new_tokens


def _words(offered: Offered) -> str:
    how = "as they are written" if offered.in_pieces else "in one piece, since a hook responds"
    return (
        f"{offered.served_model}\n"
        f"at {offered.url}, up to {offered.max_tokens} tokens; streams come {how}\n"
        "Ctrl-C ends it"
    )
