"""`list`: what there is, by name, without importing any of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from benchmark.commands.ended import USER_ERROR
from benchmark.commands.output import JsonOption, report
from benchmark.commands.tried import tried
from benchmark.core import registry
from benchmark.core.entries import BUILT_IN, KINDS, Entry, Kind


class Listed(StrEnum):
    """The kinds as one asks for them."""

    METHODS = "methods"
    ATTACKS = "attacks"
    JUDGES = "judges"
    DATASETS = "datasets"
    MODELS = "models"
    SUITES = "suites"
    STUDIES = "studies"
    PRESETS = "presets"
    METRICS = "metrics"

    @property
    def kind(self) -> Kind:
        """The registry's word for it."""
        return "study" if self is Listed.STUDIES else _singular(self.value)


def _singular(plural: str) -> Kind:
    return next(kind for kind in KINDS if f"{kind}s" == plural)


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("list", epilog="Example: list methods --load")(list_entries)


def list_entries(
    kind: Annotated[Listed, typer.Argument(help="What to list.", metavar="KIND")],
    load: Annotated[
        bool,
        typer.Option(
            "--load",
            help="Import each in a process of its own and say what fails: exit code 2 if any does.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """List methods, attacks, judges, datasets, models, suites, studies, presets, metrics;
    why one is broken."""
    if kind is Listed.METRICS:
        report("list", _metrics(), partial(_as_text, kind=kind), as_json=as_json)
        return 0
    found = list(registry.entries(kind.kind).values())
    if kind is Listed.MODELS:
        from benchmark.commands.models_listed import with_card

        found = [with_card(entry) for entry in found]
    if kind is Listed.DATASETS:
        from benchmark.commands.sets_listed import with_card as with_data_card

        found = [with_data_card(entry) for entry in found]
    if load:
        found = tried(found)
    report("list", found, partial(_as_text, kind=kind), as_json=as_json)
    return USER_ERROR if load and any(entry.problem for entry in found) else 0


def _metrics() -> list[Entry]:
    """Metrics have cards in two files; they are no plugins, and are listed as entries of these."""
    from benchmark.scoring.forgetting.cards import FILE as FORGETTING
    from benchmark.scoring.forgetting.cards import forgetting_cards
    from benchmark.scoring.metrics import FILE, metric_cards

    files = ((FILE, metric_cards()), (FORGETTING, forgetting_cards()))
    return [
        Entry(
            name=name,
            kind="metric",
            path=file,
            origin=BUILT_IN,
            source_sha256="",
            summary=card.formula,
            facts={"direction": card.direction},
        )
        for file, cards in files
        for name, card in cards.items()
    ]


def _as_text(found: list[Entry], kind: Listed) -> str:
    if not found:
        return f"no {kind.value}"
    width = max(len(entry.name) for entry in found)
    names = list(dict.fromkeys(name for entry in found for name in entry.facts))
    columns = {
        name: max(len(name), *(len(entry.facts.get(name, "")) for entry in found)) for name in names
    }
    heads = [f"{'name':{width}}", *(f"{name:{width}}" for name, width in columns.items()), "title"]
    # What stands under it says by itself what it is, but for yes and no.
    head = ["  ".join(heads)] if kind is Listed.DATASETS else []
    return "\n".join([*head, *(line for one in found for line in _lines(one, width, columns))])


def _lines(entry: Entry, width: int, columns: Mapping[str, int]) -> list[str]:
    origin = "" if entry.origin == BUILT_IN else f" [{entry.origin}]"
    if entry.problem:
        said = f"broken: {entry.problem}"
    else:
        facts = [f"{entry.facts.get(name, ''):{width}}" for name, width in columns.items()]
        said = "  ".join([*facts, entry.summary])
    lines = [f"{entry.name:{width}}  {said}{origin}".rstrip()]
    if entry.note:
        lines.append(f"{'':{width}}  note: {entry.note}")
    return lines
