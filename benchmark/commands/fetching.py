"""`fetch`: bring data sets to this machine, and pin what came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.completing import several_of
from benchmark.commands.ended import USER_ERROR
from benchmark.commands.output import JsonOption, say, show, show_json
from benchmark.core import registry
from benchmark.core.errors import MissingError, UserError
from benchmark.core.paths import typed_path

if TYPE_CHECKING:
    from benchmark.core.found import SetFetched
    from benchmark.progress import Reporter

MISSING = 3


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("fetch", epilog="Example: fetch --dataset advbench --lock")(fetch)


def fetch(
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            help="Names from `list datasets` or paths of cards, with commas.",
            autocompletion=several_of("dataset"),
        ),
    ] = None,
    suite: Annotated[str | None, typer.Option("--suite", help="All that a suite reads.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of `list datasets`.")] = False,
    origin: Annotated[
        str | None,
        typer.Option("--from", help="Take the files from this folder, not from a network."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what is here: an unpinned set as it is today.")
    ] = False,
    lock: Annotated[
        bool,
        typer.Option("--lock", help="Write the commit and digests of what is here into the card."),
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Download data sets into the data folder (VLM_BENCH_DATA), and go on where that stopped.

    No code of a data set is run. Exit code 3 if a set cannot be had now or not by a program.
    """
    from benchmark.progress import Reporter

    names = _named(dataset, suite, everything=everything)
    folder = _folder(origin)
    reporter = Reporter(quiet=as_json)
    found: list[SetFetched] = []
    codes = {0}
    for one, code in _each(names, folder, reporter, again=again, lock=lock):
        codes.add(code)
        if one is not None:
            found.append(one)
            if not as_json:
                show(_line(one))
    if as_json:
        show_json("fetch", found)
    return USER_ERROR if USER_ERROR in codes else max(codes)


def _each(
    names: list[str], origin: Path | None, reporter: Reporter, *, again: bool, lock: bool
) -> Iterator[tuple[SetFetched | None, int]]:
    """What came of each set; one that fails is said, and the others go on."""
    for name in names:
        try:
            yield _one(name, origin, reporter, again=again, lock=lock), 0
        except UserError as error:
            say(f"error: {error}")
            yield None, MISSING if isinstance(error, MissingError) else USER_ERROR


def _one(
    name: str, origin: Path | None, reporter: Reporter, *, again: bool, lock: bool
) -> SetFetched:
    from benchmark.core.found import SetFetched
    from benchmark.data import fetching
    from benchmark.data.cards import load_card
    from benchmark.data.fetching.locking import lock as write_into
    from benchmark.data.presence import pinning

    card = load_card(name)
    brought = fetching.fetch(card, reporter=reporter, origin=origin, again=again)
    locked = write_into(card) if lock else ()
    now = load_card(name)
    return SetFetched(
        dataset=card.name, folder=str(card.folder), fetched=brought.fetched, found=brought.found,
        n_files=brought.n_files, n_bytes=brought.n_bytes, locked=locked,
        pinned=now.pinned, to_pin=None if now.pinned else pinning(now),
    )  # fmt: skip


def _named(dataset: str | None, suite: str | None, *, everything: bool) -> list[str]:
    if sum((dataset is not None, suite is not None, everything)) != 1:
        raise UserError("say what to fetch: --dataset NAME, --suite NAME, or --all")
    if suite is not None:
        from benchmark.suites import load_suite
        from benchmark.suites.reads import sets_of

        return list(sets_of(load_suite(suite)))
    if everything:
        return registry.names("dataset")
    names = [name.strip() for name in str(dataset).split(",")]
    if not all(names):
        raise UserError(f"--dataset '{dataset}': a name is missing")
    return list(dict.fromkeys(names))


def _folder(typed: str | None) -> Path | None:
    if typed is None:
        return None
    folder = typed_path(typed)
    if not folder.is_dir():
        raise UserError(f"--from '{typed}': there is no such folder")
    return folder


def _line(one: SetFetched) -> str:
    files = "1 file" if one.n_files == 1 else f"{one.n_files} files"
    came = f"{files}, {one.n_bytes / 2**20:.1f} MiB" if one.fetched else "was here"
    pinned = "" if one.pinned else f"; not pinned: {one.to_pin}"
    locked = f"; wrote {', '.join(one.locked)} into its card" if one.locked else ""
    return f"{one.dataset}: {came} in {one.folder} ({one.found}){locked}{pinned}"
