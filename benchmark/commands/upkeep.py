"""`doctor`, `clean` and `testbed`: what keeps an installation well."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.options import DEFAULT_SUITE, ResultsOption, results_at
from benchmark.commands.output import JsonOption, report, say, show, show_json
from benchmark.core.store import check_writable

if TYPE_CHECKING:
    from benchmark.core.found import Cleaned, TestbedTrained
    from benchmark.doctor import Check

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
        typer.Option("--all", help="Your records and boards too, not only what can be redone."),
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
    as_json: JsonOption = False,
    results: ResultsOption = None,
) -> int:
    """Train a model of the miniature world from nothing and print its acceptance table.

    It goes into its card's place when nothing is there, else into results/local/testbed. Stages
    that are done are not repeated. With --retrieval no model of the world is trained, but the
    dual encoder that finds a text for each captioned picture; its table goes to --output, by
    default in place of the shipped one.
    """
    from benchmark.core.found import TestbedTrained

    if retrieval:
        return _retrieve(output, as_json=as_json)
    from benchmark.core.errors import unknown
    from benchmark.testbed.recipe.__main__ import print_table
    from benchmark.testbed.recipe.variants import VARIANTS, build_model
    from benchmark.testbed.records import RECORD

    if variant not in VARIANTS:
        unknown("variant", variant, VARIANTS)
    root = results_at(results).root
    check_writable(root)
    folder = root / "local" / "testbed"
    output = output or _card_place(variant, seed) or folder / f"{variant}-{seed}"
    built = build_model(variant, seed, cache=folder / "stages", output=output)
    found = TestbedTrained(
        output=str(output),
        record=str(built.folder / RECORD),
        figures={figure.name: figure.value for figure in built.figures},
    )
    if as_json:
        show_json("testbed", found)
    else:
        print_table(built)
        show(f"\nthe checkpoint is {output}; make bench METHOD=original MODEL={output} runs it")
    return 0


def _retrieve(output: Path | None, *, as_json: bool) -> int:
    from benchmark.core.found import TestbedTrained
    from benchmark.testbed.recipe.retrieval import retrieve
    from benchmark.testbed.tables.captioned import RETRIEVED

    output = output or RETRIEVED
    found = TestbedTrained(output=str(output), record=None, figures=dict(retrieve(output)))
    report("testbed", found, _retrieved, as_json=as_json)
    return 0


def _retrieved(found: TestbedTrained) -> str:
    lines = [f"{name}: {figure}" for name, figure in found.figures.items()]
    return "\n".join([*lines, f"the retrieved texts are in {found.output}"])


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
