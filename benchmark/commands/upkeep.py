"""`doctor`, `clean` and `testbed`: what keeps an installation well."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.options import DEFAULT_SUITE, ResultsOption, results_at
from benchmark.commands.output import say, show
from benchmark.core.store import check_writable

MISSING = 3
# What the shipped miniatures are called: the default one, and with its variant after it.
TESTBED = "testbed-llava"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("doctor", epilog="Example: doctor --dataset testbed-harmful")(doctor)
    app.command("clean", epilog="Example: clean --all")(clean)
    app.command("testbed", epilog="Example: testbed --variant unaligned --seed 1")(train_testbed)


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
    results: ResultsOption = None,
) -> int:
    """Say what is installed, where from, and what is missing; exit code 3 if something is."""
    from benchmark.core.errors import MissingError
    from benchmark.doctor import examine
    from benchmark.suites import load_suite

    model = model or load_suite(DEFAULT_SUITE).targets[0]
    n_missing = 0
    try:
        for check in examine(results=results_at(results), model=model, dataset=dataset):
            show(f"{'MISSING' if check.remedy else 'ok':7}  {check.name}: {check.found}")
            if check.remedy:
                show(f"{'':7}  remedy: {check.remedy}")
                n_missing += 1
    except MissingError as error:
        say(f"error: {error}")
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
        say(f"{len(kept)} stages are being worked on; nothing deleted")
        return 1
    folders = [local] if everything else [local / "stages", local / "images"]
    freed = sum(_size_bytes(folder) for folder in folders)
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)
    print(f"{freed / 2**20:.1f} MiB freed under {local}")
    return 0


def train_testbed(
    variant: Annotated[
        str, typer.Option("--variant", help="default, unaligned, stage2, gold, or an ablation.")
    ] = "default",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of weights, data and order.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", help="The checkpoint's folder.")
    ] = None,
    retrieval: Annotated[
        bool, typer.Option("--retrieval", help="Only find the texts that go with pictures (TGA).")
    ] = False,
    results: ResultsOption = None,
) -> int:
    """Train a model of the miniature world from nothing and print its acceptance table.

    It goes into its card's place when nothing is there, else into results/local/testbed. Stages
    that are done are not repeated. With --retrieval no model of the world is trained, but the
    dual encoder that finds a text for each captioned picture; its table goes to --output, by
    default in place of the shipped one.
    """
    if retrieval:
        return _retrieve(output)
    from benchmark.core.errors import unknown
    from benchmark.testbed.recipe.__main__ import main
    from benchmark.testbed.recipe.variants import VARIANTS

    if variant not in VARIANTS:
        unknown("variant", variant, VARIANTS)
    root = results_at(results).root
    check_writable(root)
    folder = root / "local" / "testbed"
    output = output or _card_place(variant, seed) or folder / f"{variant}-{seed}"
    arguments = ["--variant", variant, "--seed", str(seed), "--output", str(output)]
    code = main([*arguments, "--cache", str(folder / "stages")])
    print(f"\nthe checkpoint is {output}; make bench METHOD=original MODEL={output} runs it")
    return code


def _retrieve(output: Path | None) -> int:
    from benchmark.testbed.recipe.retrieval import retrieve
    from benchmark.testbed.tables.captioned import RETRIEVED

    output = output or RETRIEVED
    for name, figure in retrieve(output).items():
        print(f"{name}: {figure}")
    print(f"the retrieved texts are in {output}")
    return 0


def _card_place(variant: str, seed: int) -> Path | None:
    """Where the variant's card expects it, if it is a shipped one and is not there yet."""
    from benchmark.core import registry
    from benchmark.models import load_card

    name = TESTBED if variant == "default" else f"{TESTBED}-{variant}"
    if seed != 0 or name not in registry.entries("model"):
        return None
    folder = load_card(name).folder
    return folder if folder is not None and not (folder / "config.json").exists() else None


def _is_locked(path: Path) -> bool:
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
