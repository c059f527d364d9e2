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
    JobsOption,
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
from benchmark.core.errors import MissingError, UserError
from benchmark.core.rows import BASE
from benchmark.core.store import Results, check_writable
from benchmark.treatments import UNTREATED, check_row, names

if TYPE_CHECKING:
    from benchmark.core.durability_records import DurabilityRecord
    from benchmark.enduring import Endured
    from benchmark.stages.resolve import RunRequest

GOLD = "gold"


MethodsArgument = Annotated[
    str,
    typer.Argument(
        help="A name from `list methods`, several with commas, or `all`.",
        autocompletion=several_of("method"),
    ),
]
TreatmentsOption = Annotated[
    str | None,
    typer.Option(
        "--treatments",
        help="With commas, all if not given: untreated (always among them), merged, int8, nf4, "
        "benign, relearn, in_context, sampling; settings as in relearn+modality=image.",
    ),
]
PublishOption = Annotated[
    bool,
    typer.Option("--publish", help="Keep the records for leaderboard/ too, and make it anew."),
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="With --publish: in the place of published ones.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("durability", epilog="Example: durability npo,rmu --treatments merged,relearn")(
        durability
    )


def durability(
    method: MethodsArgument,
    treatments: TreatmentsOption = None,
    model: OneModelOption = None,
    suite: SuiteOption = DEFAULT_SUITE,
    seeds: SeedsOption = "1",
    limit: LimitOption = None,
    device: DeviceOption = "auto",
    jobs: JobsOption = None,
    publish: PublishOption = False,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Treat what methods left behind, and see whether what was unlearned comes back.

    The untouched model and gold are treated beside them. What is done is found again by its
    content: interrupted, it goes on where it stopped. `--publish` keeps the records for the page
    of durability in leaderboard/.
    """
    _check_publishing(publish, replace=replace, limit=limit)
    rows, numbers, where = read_treatments(treatments), read_seeds(seeds), results_at(results)
    named = read_methods(method)
    _check_asks(suite)
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
    records, code = _under(requests, rows, jobs=jobs)
    if not records:
        return code
    first = records[0]
    found, page = written(
        records, where, suite=first.suite, model=first.model, limit=limit,
        methods=list(dict.fromkeys(record.method for record in records)), exit_code=code,
    )  # fmt: skip
    report("durability", found, lambda one: "\n".join([page, *one.files]), as_json=as_json)
    if publish:
        _publish(records, where, code=code, replace=replace)
    return code


def _check_publishing(publish: bool, *, replace: bool, limit: int | None) -> None:
    """Raise `UserError` for what could not be published, before hours are spent on it."""
    from benchmark.core import environment

    if replace and not publish:
        raise UserError("--replace says what --publish may do; give both")
    if publish and limit is not None:
        raise UserError(f"--publish: --limit {limit} asks a part; only the full suite is published")
    git = environment.git() if publish else None
    if git is not None and git.commit is None:
        raise UserError("--publish: no commit is known here; publish from a clone of the project")
    if git is not None and git.dirty:
        raise UserError("--publish: the tree has changes that are not committed; commit them first")


def _publish(
    records: Sequence[DurabilityRecord], where: Results, *, code: int, replace: bool
) -> None:
    """All or nothing: a page that lacks what failed would say that it was never asked for."""
    from benchmark.commands.boards import regenerated, warn
    from benchmark.tables.durability.published import publish_records

    if code:
        say("nothing is published: not all that was asked for ended well")
        return
    paths = publish_records(records, where, replace=replace)
    boards = regenerated(where)
    warn(boards.warnings, as_json=False)
    pages = [path for path in boards.files if "/durability-" in path and path.endswith(".md")]
    say(f"{len(paths)} records published in {paths[0].parents[1]}; {', '.join(pages)}")


def read_treatments(text: str | None) -> tuple[str, ...]:
    """`a,b+key=value`, all if nothing is given, and the untreated model always; unknown names are
    `UserError`s before any work is done."""
    rows = names() if text is None else tuple(one.strip() for one in text.split(",") if one.strip())
    if not rows:
        raise UserError(f"--treatments is empty; there is {', '.join(names())}")
    for row in rows:
        check_row(row)
    return tuple(dict.fromkeys([UNTREATED, *rows]))


def _check_asks(suite: str) -> None:
    """Raise `UserError` for a suite that asks for nothing that may come back."""
    from benchmark.durability.asking import forms_of
    from benchmark.suites import load_suite

    if not forms_of(load_suite(suite).evaluation):
        raise UserError(
            f"suite '{suite}' attacks nobody and asks about no persons: nothing can come back; "
            f"take --suite {DEFAULT_SUITE}"
        )


def _references(model: str) -> list[str]:
    """The untouched model, and gold where the model's card names one that is here."""
    from benchmark.models import load_card

    name = load_card(model).gold
    if name is None:
        return [BASE]
    gold = load_card(name)
    if gold.found() is not None:
        return [BASE, GOLD]
    say(f"model '{gold.name}' is not here, so nothing is held against gold; {gold.remedy}")
    return [BASE]


def _under(
    requests: Sequence[RunRequest], rows: Sequence[str], *, jobs: int | None
) -> tuple[list[DurabilityRecord], int]:
    """Every run under every treatment; one that fails is said, and does not stop the others."""
    from benchmark.enduring import endure
    from benchmark.progress import Reporter
    from benchmark.stages.treat import chosen_of

    codes = {0}

    def ended(one: Endured) -> None:
        codes.update(_said(one))

    chosen = [chosen_of(row) for row in rows]
    found = endure(requests, chosen, jobs=jobs, reporter=Reporter(), ended=ended)
    return [record for one in found for record in one.records], worst_of(codes)


def _said(one: Endured) -> list[int]:
    """Say what went wrong, if anything did, and return its exit codes."""
    name = f"{one.request.method} on {one.request.model}, seed {one.request.seed}"
    codes = []
    for record in one.records:
        if record.status == "failed":
            say(f"error: {name}, {record.treatment}: {record.reason}")
            codes.append(FAILED)
    if one.failed is not None:
        say(f"error: {name}: {one.failed}")
        codes.append(FAILED)
    if one.error is not None:
        say(f"error: {name}: {one.error}")
        codes.append(MISSING if isinstance(one.error, MissingError) else USER_ERROR)
    return codes
