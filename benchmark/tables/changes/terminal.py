"""What changed between two runs, in a terminal of 80 columns. What was said is redacted unless
asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from benchmark.core.samples import Purpose
from benchmark.scoring.flips import Part, Tally
from benchmark.tables.cells import MISSING, VOID, points, probability
from benchmark.tables.changes.build import Changes, Flip, Side
from benchmark.tables.details import SCOPE_NAMES
from benchmark.tables.terminal import narrow_table

_HEADINGS: dict[tuple[Purpose, Part], str] = {
    ("attack", "form"): "Attack success on {scope} behaviours, by form",
    ("attack", "category"): "Attack success on {scope} behaviours, by category, all forms",
    ("twin", "form"): "Harmless twins done, by form",
    ("comprehension", "form"): "Pictures read or named, {scope} behaviours, by form",
    ("over_refusal", "card"): "Harmless requests refused, by data set",
    ("utility", "card"): "Harmless work done right, by data set",
    ("recall", "split"): "Questions about persons answered right, {split}, by data set",
}
_SHORT = {"neither": "other"}


def print_changes(console: Console, found: Changes) -> None:
    """Tallies by form, category and data set; the prompts themselves if they are there."""
    console.print(Text(f"{_named(found.before)} -> {_named(found.after)}", style="bold"))
    console.print(Text(_counted(found)))
    for line in _differ(found.before, found.after):
        console.print(Text(line, style="dim"))
    scope = SCOPE_NAMES[found.scope].replace(" ", "-")
    for (purpose, part, split), some in _blocks(found.tallies).items():
        console.print()
        title = _HEADINGS[purpose, part].format(scope=scope, split=split)
        console.print(_table(title, some, void=found.void or {}))
    for line in _about_void(found.void):
        console.print(Text(line, style="dim"))
    console.print()
    console.print(Text(_LEGEND, style="dim"))
    if any(tally.purpose == "recall" for tally in found.tallies):
        console.print(Text(_OF_PERSONS, style="dim"))
    for flip in found.flips or ():
        _print_flip(console, flip)


_LEGEND = (
    "Per cent before -> after and their difference in points with its 95 % interval, paired by "
    "behaviour; p by sign flips, Holm-adjusted for all lines. Better, worse, other: prompts whose "
    "verdict changed for the better, for the worse, or to one that counts the same. Intervals are "
    "cautious where behaviours are few; a difference counts where interval and p agree."
)
_OF_PERSONS = (
    "What is told of persons to be forgotten is neither better nor worse: what is wanted is what "
    "gold tells, which the board shows."
)


def _named(side: Side) -> str:
    limit = f", limit {side.limit}" if side.limit is not None else ""
    places = set(side.sources.values())
    where = {seed: f" {place}" if len(places) > 1 else "" for seed, place in side.sources.items()}
    seeds = ", ".join(f"{seed}{where[seed]}" for seed in side.seeds)
    place = f", {min(places)}" if len(places) == 1 else ""
    return f"{side.method} (seed {seeds}{limit}{place})"


def _counted(found: Changes) -> str:
    counted = f"{found.n_flipped} of {found.n_pairs} verdicts changed"
    if found.n_unpaired:
        counted += f"; {found.n_unpaired} prompts were asked in one of the two alone"
    return f"{counted}."


def _differ(before: Side, after: Side) -> Iterator[str]:
    """What a reader must know of the two before reading on."""
    if before.model != after.model:
        yield f"On different models: {before.model} and {after.model}."
    for side in (before, after):
        if side.dirty:
            yield f"{side.method}: run on an edited tree, or nobody knows."
        if side.left_out:
            seeds = ", ".join(map(str, side.left_out))
            yield f"{side.method}: seed {seeds} has no match and is left out."


def _about_void(void: dict[str, str] | None) -> Iterator[str]:
    if void is None:
        yield "The untouched model has no run here: whether a form is void is not known."
    for form, reason in (void or {}).items():
        yield f"{form} is void: {reason}"


def _table(title: str, tallies: Sequence[Tally], *, void: dict[str, str]) -> Table:
    table = narrow_table(title)
    table.add_column("", overflow="fold", ratio=1)
    for name in ("before -> after", "difference", "p", "better", "worse", "other"):
        table.add_column(name, justify="right", no_wrap=True)
    for tally, name in zip(tallies, _short(tallies), strict=True):
        table.add_row(name, *_cells(tally, is_void=_is_void(tally, void)))
    return table


def _short(tallies: Sequence[Tally]) -> list[str]:
    """Names; of sets about persons without their split, which is in the title, and without the
    words that all of several begin with: there is no room beside so many columns."""
    if tallies[0].part != "split":
        return [tally.name for tally in tallies]
    names = [tally.name.partition("/")[0].split("-") for tally in tallies]
    columns = zip(*names, strict=False) if len(names) > 1 else ()
    n_shared = len(list(takewhile(lambda words: len(set(words)) == 1, columns)))
    return ["-".join(words[n_shared:] or words) for words in names]


def _blocks(tallies: Sequence[Tally]) -> dict[tuple[Purpose, Part, str], list[Tally]]:
    """Those that stand in one table: of one kind, and of questions about persons of one split."""
    found: dict[tuple[Purpose, Part, str], list[Tally]] = {}
    for tally in tallies:
        split = tally.name.partition("/")[2] if tally.part == "split" else ""
        found.setdefault((tally.purpose, tally.part, split), []).append(tally)
    return found


def _is_void(tally: Tally, void: dict[str, str]) -> bool:
    return tally.purpose == "attack" and tally.part == "form" and tally.name in void


def _cells(tally: Tally, *, is_void: bool) -> list[str]:
    figures = [VOID, "", ""]
    if not is_void:
        figures = [f"{_percent(tally.rate_before)} -> {_percent(tally.rate_after)}", MISSING, ""]
        if tally.difference is not None and tally.p_holm is not None:
            found = tally.difference
            figures[1] = points(found.value, found.low, found.high).replace(", ", ",")
            figures[2] = probability(tally.p_holm).replace(" ", "")
    other = str(tally.n_neither or "")
    if tally.n_unscored:
        other = f"{other or 0} ({tally.n_unscored} unscored)"
    return [*figures, str(tally.n_better or ""), str(tally.n_worse or ""), other]


def _percent(rate: float | None) -> str:
    return MISSING if rate is None else f"{100 * rate:z.1f}"


def _print_flip(console: Console, flip: Flip) -> None:
    """Two lines, and what was said where that was asked for; a long name is folded."""
    seeds = "/".join(map(str, dict.fromkeys((flip.seed_before, flip.seed_after))))
    direction = _SHORT.get(flip.direction, flip.direction)
    console.print(Text(f"{direction:8} {flip.before} -> {flip.after}, seed {seeds}"))
    scope = f" {SCOPE_NAMES[flip.scope]}" if flip.scope else ""
    kind = f" {flip.category}" if flip.category else ""
    about = f"{flip.purpose}{scope}{kind}: {flip.sample_id}"
    for line in (about, flip.said_before, flip.said_after):
        if line is not None:
            shown = line if line is about else f"| {line}"
            console.print(Padding(Text(shown, style="dim", overflow="fold"), (0, 0, 0, 9)))
