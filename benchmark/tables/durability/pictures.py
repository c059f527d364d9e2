"""Curves of relearning: one panel a method, gold's own in every one, and once in its own."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.durability_records import Part, Recovery
from benchmark.core.rows import BASE
from benchmark.tables.durability.recovering import GOLD
from benchmark.tables.figures.panels import Line, Panel, Panels, Range

SERIES: tuple[tuple[str, Part], ...] = (
    ("taught again", "relearned"),
    ("the others", "not_relearned"),
)


def curves_picture(recoveries: Sequence[Recovery], *, measured: str, title: str) -> Panels | None:
    """In the form that stands for it; None where nobody was taught anything. `measured` says what
    of."""
    recoveries = [one for one in recoveries if one.headline]
    methods = list(dict.fromkeys(one.method for one in recoveries if one.curve))
    if not methods:
        return None
    steps = sorted({point.step for one in recoveries for point in one.curve})
    has_gold = GOLD in methods
    panels = []
    for method in methods:
        # Gold's panel has no lines but gold's, in the colours that these have everywhere.
        own = [one for one in recoveries if one.method == method != GOLD]
        lines = [_line(own, method, part, name, steps) for name, part in SERIES]
        if has_gold:
            lines += [
                _line(recoveries, GOLD, part, f"gold, {name}", steps) for name, part in SERIES
            ]
        panels.append(Panel(title=_headed(recoveries, method), lines=tuple(lines)))
    return Panels(
        title=title,
        caption=f"Steps of relearning; {measured}, with 95 % intervals.",
        steps=tuple(map(str, steps)),
        panels=tuple(panels),
    )


def _headed(recoveries: Sequence[Recovery], method: str) -> str:
    """The method with its verdict on each part, which may differ; those it is held against have
    none."""
    if method in (BASE, GOLD):
        return f"{method}\nreference"
    verdicts = {one.part: one.verdict for one in recoveries if one.method == method}
    said = [f"{name}: {verdicts[part].replace('_', ' ')}" for name, part in SERIES]
    return "\n".join([method, *said])


def _line(
    recoveries: Sequence[Recovery], method: str, part: Part, name: str, steps: Sequence[int]
) -> Line:
    found = [one for one in recoveries if (one.method, one.part) == (method, part)]
    at = {point.step: point for one in found for point in one.curve}
    return Line(
        name=name,
        points=tuple(
            Range(mean=at[step].value, low=at[step].low, high=at[step].high) if step in at else None
            for step in steps
        ),
    )
