"""`doctor`, `clean` and `testbed`: what keeps an installation well."""

from __future__ import annotations

import fcntl
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.options import DEFAULT_MODEL, ModelOption, ResultsOption, results_at

MISSING = 3


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("doctor", epilog="Example: doctor --dataset testbed-harmful")(doctor)
    app.command("clean", epilog="Example: clean --all")(clean)


def doctor(
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Read this one to its last row and picture.")
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    results: ResultsOption = None,
) -> int:
    """Say what is installed, where from, and what is missing; exit code 3 if something is."""
    from benchmark.core.errors import MissingError
    from benchmark.doctor import examine

    n_missing = 0
    try:
        for check in examine(results=results_at(results), model=model, dataset=dataset):
            print(f"{'MISSING' if check.remedy else 'ok':7}  {check.name}: {check.found}")
            if check.remedy:
                print(f"{'':7}  remedy: {check.remedy}")
                n_missing += 1
    except MissingError as error:
        print(f"error: {error}", file=sys.stderr)
        return MISSING
    return MISSING if n_missing else 0


def clean(
    everything: Annotated[
        bool,
        typer.Option("--all", help="Your records and boards too, not only what can be redone."),
    ] = False,
    results: ResultsOption = None,
) -> int:
    """Delete artifacts, answers and rendered images; records, boards and what is published stay."""
    local = results_at(results).root / "local"
    kept = [path for path in (local / "stages").glob("*/*.lock") if _is_locked(path)]
    if kept:
        print(f"{len(kept)} stages are being worked on; nothing deleted", file=sys.stderr)
        return 1
    folders = [local] if everything else [local / "stages", local / "images"]
    freed = sum(_size_bytes(folder) for folder in folders)
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
    print(f"{freed / 2**20:.1f} MiB freed under {local}")
    return 0


def _is_locked(path: Path) -> bool:
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
