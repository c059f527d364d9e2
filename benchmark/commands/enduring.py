"""`durability`: what is left of unlearning after a model is merged, rounded, trained on, prompted
or sampled."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.completing import several_of
from benchmark.commands.ended import FAILED, MISSING, USER_ERROR, worst_of
from benchmark.commands.options import (
    DEFAULT_SUITE,
    OneModelOption,
    ResultsOption,
    SuiteOption,
    read_methods,
    read_model,
    read_seeds,
    results_at,
)
from benchmark.commands.output import JsonOption, report, say
from benchmark.commands.presence import check_models
from benchmark.commands.running import DeviceOption, LimitOption, SeedsOption
from benchmark.core.errors import MissingError, RunFailed, UserError
from benchmark.core.rows import BASE
from benchmark.core.store import check_writable
from benchmark.treatments import UNTREATED, check_row, names

if TYPE_CHECKING:
    from benchmark.core.durability_records import DurabilityRecord
    from benchmark.stages.resolve import RunRequest

GOLD = "gold"


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("durability", epilog="Example: durability npo,rmu --treatments merged,relearn")(
        durability
    )


def durability(
    method: Annotated[
        str,
        typer.Argument(
            help="A name from `list methods`, several with commas, or `all`.",
            autocompletion=several_of("method"),
        ),
    ],
    treatments: Annotated[
        str | None,
        typer.Option(
            "--treatments",
            help="With commas, all if not given: merged, int8, nf4, benign, relearn, in_context, "
            "sampling; settings as in relearn+modality=image.",
        ),
    ] = None,
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    seeds: SeedsOption = "1",
    limit: LimitOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Treat what methods left behind, and see whether what was unlearned comes back.

    The untouched model and gold are treated beside them. What is done is found again by its
    content: interrupted, it goes on where it stopped.
    """
    rows, numbers, where = read_treatments(treatments), read_seeds(seeds), results_at(results)
    named = read_methods(method)
    target = read_model(model, suite=suite)
    check_models(suite=suite, models=[target])
    check_writable(where.root)
    methods = list(dict.fromkeys([*_references(target), *named]))
    say(f"durability: {', '.join(named)} on {target}, suite {suite}; loading ...")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from benchmark.stages.resolve import RunRequest
    from benchmark.tables.durability.pages import written

    requests = [
        RunRequest(
            method=name, model=target, suite=suite, seed=seed, limit=limit, device=device,
            results=where.root,
        )
        for name in methods
        for seed in numbers
    ]  # fmt: skip
    records, code = _under(requests, rows)
    if not records:
        return code
    first = records[0]
    found, page = written(
        records, where, suite=first.suite, model=first.model, limit=limit,
        methods=list(dict.fromkeys(record.method for record in records)), exit_code=code,
    )  # fmt: skip
    report("durability", found, lambda one: "\n".join([page, *one.files]), as_json=as_json)
    return code


def read_treatments(text: str | None) -> tuple[str, ...]:
    """`a,b+key=value`, all if nothing is given, and the untreated model always; unknown names are
    `UserError`s before any work is done."""
    rows = names() if text is None else tuple(one.strip() for one in text.split(",") if one.strip())
    if not rows:
        raise UserError(f"--treatments is empty; there is {', '.join(names())}")
    for row in rows:
        check_row(row)
    return tuple(dict.fromkeys([UNTREATED, *rows]))


def _references(model: str) -> list[str]:
    """The untouched model, and gold where the model's card names one."""
    from benchmark.models import load_card

    return [BASE] if load_card(model).gold is None else [BASE, GOLD]


def _under(
    requests: Sequence[RunRequest], rows: Sequence[str]
) -> tuple[list[DurabilityRecord], int]:
    """Every run under every treatment; one that fails is said, and does not stop the others."""
    from benchmark.data.pools import Pools
    from benchmark.durability.run import Endurance
    from benchmark.progress import Reporter
    from benchmark.stages.treat import chosen_of

    chosen, pools, reporter = [chosen_of(row) for row in rows], Pools(), Reporter()
    records, codes = [], {0}
    for request in requests:
        name = f"{request.method} on {request.model}, seed {request.seed}"
        try:
            endurance = Endurance(request, pools=pools, reporter=reporter)
            for one in chosen:
                record = endurance.under(one)
                records.append(record)
                if record.status == "failed":
                    say(f"error: {name}, {record.treatment}: {record.reason}")
                    codes.add(FAILED)
        except (UserError, RunFailed) as error:
            say(f"error: {name}: {error}")
            codes.add(_code_of(error))
    return records, worst_of(codes)


def _code_of(error: UserError | RunFailed) -> int:
    if isinstance(error, RunFailed):
        return FAILED
    return MISSING if isinstance(error, MissingError) else USER_ERROR
