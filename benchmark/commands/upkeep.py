"""`doctor` and `clean`: what keeps an installation well."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import DEFAULT_SUITE, ResultsOption, results_at
from benchmark.commands.output import JsonOption, report, say, show, show_json

if TYPE_CHECKING:
    from benchmark.core.found import Cleaned
    from benchmark.doctor import Check

MISSING = 3


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("doctor", epilog="Example: doctor --dataset testbed-harmful")(doctor)
    app.command("clean", epilog="Example: clean")(clean)


def doctor(
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Read this one to its last row and picture.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="A name or a checkpoint's folder; if not given, the suite's first."
        ),
    ] = None,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Say what is installed, where from, and what is missing; exit code 3 if something is."""
    from benchmark.core.errors import MissingError
    from benchmark.doctor import examine
    from benchmark.suites import load_suite

    model = model or load_suite(DEFAULT_SUITE).targets[0]
    found: list[Check] = []
    try:
        for check in examine(results=results_at(results), model=model, dataset=dataset):
            if not as_json:
                show(_line(check))
            found.append(check)
    except MissingError as error:
        say(f"error: {error}")
        return MISSING
    if as_json:
        show_json("doctor", found)
    return MISSING if any(check.remedy for check in found) else 0


def _line(check: Check) -> str:
    line = f"{'MISSING' if check.remedy else 'ok':7}  {check.name}: {check.found}"
    return f"{line}\n{'':7}  remedy: {check.remedy}" if check.remedy else line


def clean(
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="All of results/local: your records, boards, pictures and exports too."
        ),
    ] = False,
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Delete artifacts, answers and rendered images; records, boards and what is published stay."""
    from benchmark.core.found import Cleaned

    local = results_at(results).root / "local"
    in_use = [path for path in (local / "stages").glob("*/*.lock") if _is_locked(path)]
    redone = ("stages", "images", "reproduced")
    folders = [local] if everything else [local / name for name in redone]
    freed = 0 if in_use else sum(_size_bytes(folder) for folder in folders)
    for folder in folders:
        if folder.exists() and not in_use:
            shutil.rmtree(folder)
    found = Cleaned(folder=str(local), freed_bytes=freed, n_in_use=len(in_use))
    if in_use and not as_json:
        say(f"{len(in_use)} stages are being worked on; nothing deleted")
    else:
        report("clean", found, _cleaned, as_json=as_json)
    return 1 if in_use else 0


def _cleaned(found: Cleaned) -> str:
    return f"{found.freed_bytes / 2**20:.1f} MiB freed under {found.folder}"


def _is_locked(path: Path) -> bool:
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
