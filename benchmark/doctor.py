"""What may be wrong with an installation and its data, found without importing torch."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.core import registry
from benchmark.core.config import read_yaml
from benchmark.core.environment import version
from benchmark.core.errors import UserError
from benchmark.core.processes import usable_cores
from benchmark.core.store import REPOSITORY, Results, check_writable
from benchmark.data.cards import Card, load_card
from benchmark.data.examining import look
from benchmark.data.presence import pinning, presence
from benchmark.models import ModelCard
from benchmark.models import load_card as load_model_card
from benchmark.suites import Suite
from benchmark.suites.reads import sets_of, trained_on

# An adapter, its answers and images take some megabytes; a 7B model's shards some gigabytes.
LEAST_FREE_BYTES = 2 * 2**30


Group = Literal["installation", "machine", "models", "data sets"]
State = Literal["ok", "note", "missing", "wrong"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding, and the one step that mends it where it is not fine.

    `note` works and is to be known; what is `missing` may be had by the remedy; what is `wrong` is
    here and cannot be used.
    """

    group: Group
    name: str
    found: str
    remedy: str | None = None
    state: State = "ok"


def examine(
    *, results: Results, model: str, dataset: str | None = None, suite: Suite | None = None
) -> Iterator[Check]:
    """All checks, one after the other; of the data sets those of the suite alone if one is given.
    With a data set that one alone is looked at, to its last row and picture.

    Raises `UserError` for a model or data set that there is not, before anything else is looked at.
    """
    if dataset is not None:
        yield from _read(load_card(dataset))
        return
    if model not in registry.names("model"):
        card = load_model_card(model)
        yield Check(group="models", name=card.name, found=str(card.checkpoint()))
    yield from _imports()
    yield from _packages()
    yield _disk(results)
    yield Check(group="machine", name="cores", found=f"{usable_cores()} usable")
    yield from _weights(model)
    yield from _datasets(suite)


def _imports() -> Iterator[Check]:
    for name in ("benchmark", "methods"):
        place = _found_at(name)
        wanted = REPOSITORY / name
        remedy = None if place == wanted else f"run from {REPOSITORY} with `python -m benchmark`"
        yield _of("installation", f"import {name}", str(place or "not found"), remedy)
    # The folder of cards answers to the same name when Hugging Face's package is not installed.
    place, installed = _found_at("datasets"), version("datasets")
    shadowed = installed is None or (
        place is not None and place.is_relative_to(REPOSITORY / "datasets")
    )
    remedy = "`make setup` installs Hugging Face datasets; datasets/ must hold no .py file"
    found = str(place or "not found")
    yield _of("installation", "import datasets", found, remedy if shadowed else None)


def _found_at(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    if spec.origin:
        return Path(spec.origin).resolve().parent
    places = list(spec.submodule_search_locations or ())
    return Path(places[0]).resolve() if places else None


def _packages() -> Iterator[Check]:
    from packaging.requirements import Requirement

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        requirement = Requirement(line)
        found = version(requirement.name)
        fits = found is not None and requirement.specifier.contains(found, prereleases=True)
        remedy = f"`make setup` installs {requirement.specifier}"
        yield _of("installation", requirement.name, found or "missing", None if fits else remedy)


def _weights(wanted: str) -> Iterator[Check]:
    """Every model's checkpoint; only the wanted one has to be there."""
    for name, entry in registry.entries("model").items():
        if entry.problem:
            yield _lacking("models", name, entry.problem, "correct its card")
            continue
        card = read_yaml(entry.path)
        source = card.get("source")
        path = source.get("path") if isinstance(source, dict) else None
        if not isinstance(path, str):
            yield _on_the_hub(load_model_card(name), wanted=name == wanted)
            continue
        there = (REPOSITORY / path / "config.json").is_file()
        remedy = str(card.get("remedy")) if name == wanted and not there else None
        yield _of("models", name, path if there else "not built", remedy)


def _on_the_hub(card: ModelCard, *, wanted: bool) -> Check:
    """Only a model that is wanted is looked for on the disk, and nothing is downloaded."""
    found = card.found() if wanted else None
    if found is not None or not wanted:
        return Check(group="models", name=card.name, found=str(found or "on the hub"))
    return _lacking("models", card.name, "not downloaded", card.remedy)


def _datasets(suite: Suite | None) -> Iterator[Check]:
    """Every data set, or every one that a suite reads: is it here, and may it be used as asked?"""
    wanted: Mapping[str, list[str] | None] = (
        sets_of(suite) if suite is not None else dict.fromkeys(registry.names("dataset"))
    )
    trained = trained_on(suite) if suite is not None else set()
    for name, splits in wanted.items():
        try:
            card = load_card(name)
            yield _present(card, splits, trained=name in trained)
        except UserError as error:
            yield _lacking("data sets", name, str(error), "correct its card")


def _present(card: Card, splits: list[str] | None, *, trained: bool) -> Check:
    """Of a data set the first thing that has to be mended, and how."""
    there = presence(card, splits)
    if not there.is_here:
        return _lacking("data sets", card.name, there.found, str(there.remedy))
    where = f"see {card.home or card.paper or 'its licence'}"
    if trained and card.training == "no":
        found = f"its licence ({card.licence}) does not let weights be trained on it"
        return _lacking("data sets", card.name, found, f"train on another set; {where}")
    if trained and card.natural and card.training == "unknown":
        found = f"whether its licence ({card.licence}) lets weights be trained on it is not known"
        return _note(card, found, f"{where}, and say it in its card (`training`)")
    if not card.pinned:
        return _note(card, f"{there.found}, not pinned: no row on it is ranked", pinning(card))
    return Check(group="data sets", name=card.name, found=there.found)


def _note(card: Card, found: str, remedy: str) -> Check:
    return Check(group="data sets", name=card.name, found=found, remedy=remedy, state="note")


def _of(group: Group, name: str, found: str, remedy: str | None) -> Check:
    if remedy is not None:
        return _lacking(group, name, found, remedy)
    return Check(group=group, name=name, found=found)


def _lacking(group: Group, name: str, found: str, remedy: str) -> Check:
    return Check(group=group, name=name, found=found, remedy=remedy, state="missing")


def _disk(results: Results) -> Check:
    try:
        check_writable(results.root)
    except UserError as error:
        return _lacking("machine", "results folder", str(error), "choose another with --results")
    free = shutil.disk_usage(results.root).free
    remedy = f"free {LEAST_FREE_BYTES / 2**30:.0f} GiB" if free < LEAST_FREE_BYTES else None
    found = f"{results.root}, writable, {free / 2**30:.1f} GiB free"
    return _of("machine", "results folder", found, remedy)


def _read(card: Card) -> Iterator[Check]:
    """Read a data set to its last row and picture, and say all that is wrong with it."""
    present = _present(card, None, trained=False)
    yield present
    if present.state == "missing":
        return
    with tempfile.TemporaryDirectory() as folder:
        for looked in look(card, folder=Path(folder)):
            name = f"{card.name}, split {looked.split}" if looked.split else card.name
            for line in looked.wrong:
                yield Check(
                    group="data sets", name=name, found=line, remedy=_again(card), state="wrong"
                )
            if not looked.wrong:
                found = f"{looked.n_rows} rows, {looked.n_images} images, fine"
                yield Check(group="data sets", name=name, found=found)


def _again(card: Card) -> str:
    """What helps against damage."""
    if card.source.kind in ("hub", "web"):
        return f"{card.fetch_with('--again')} gets it anew; if it stays so, correct the card"
    return "get its files again, or correct the card"
