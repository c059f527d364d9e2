"""Every loss term of a run, step by step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from benchmark.tables.figures.canvas import COLOURS, INK, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOTAL = "total"
PANEL_INCHES = (3.0, 2.1)
N_ACROSS = 4


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One term, or the weighted total, of one phase; `phase` is empty where there is only one."""

    phase: str
    term: str
    points: tuple[tuple[int, float], ...]

    @property
    def name(self) -> str:
        """`gate/forget`, or `forget` of a training in one phase."""
        return f"{self.phase}/{self.term}" if self.phase else self.term


@dataclass(frozen=True, kw_only=True)
class LossCurves:
    """A picture of a training: phases below each other, in the order in which they ran."""

    title: str
    caption: str
    curves: tuple[Curve, ...]

    def draw(self) -> Figure:
        """One panel per term; the weighted total comes last of its phase, in another colour."""
        lines = list(_lines(self.curves))
        across = max(map(len, lines))
        width = max(PANEL_INCHES[0] * across, 5.5)
        figure = blank(width, PANEL_INCHES[1] * len(lines) + 0.8)
        panels = figure.subplots(len(lines), across, squeeze=False)
        for drawn, line in zip(panels, lines, strict=True):
            for axes, curve in zip(drawn, line, strict=False):
                _panel(axes, curve)
            for axes in drawn[len(line) :]:
                axes.set_visible(False)
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=11)
        figure.supxlabel(self.caption, x=0.01, ha="left", fontsize=8)
        return figure


def curves_of(found: Mapping[str, Sequence[tuple[int, float]]]) -> tuple[Curve, ...]:
    """A record's curves, phase by phase as they ran, each total at the end of its phase."""
    curves = [
        Curve(phase=name.rpartition("/")[0], term=name.rpartition("/")[2], points=tuple(points))
        for name, points in found.items()
        if points
    ]
    phases = list(dict.fromkeys(curve.phase for curve in curves))
    return tuple(sorted(curves, key=lambda curve: (phases.index(curve.phase), curve.term == TOTAL)))


def _lines(curves: Sequence[Curve]) -> Iterator[list[Curve]]:
    """Curves by lines of panels; every phase begins one, terms are spread evenly over several."""
    for _, found in groupby(curves, key=lambda curve: curve.phase):
        phase = list(found)
        n_lines = math.ceil(len(phase) / N_ACROSS)
        across = math.ceil(len(phase) / n_lines)
        for start in range(0, len(phase), across):
            yield phase[start : start + across]


def _panel(axes: Any, curve: Curve) -> None:
    steps, values = zip(*curve.points, strict=True)
    total = curve.term == TOTAL
    marker = "o" if len(steps) == 1 else None
    axes.plot(steps, values, color=COLOURS[1 if total else 0], linewidth=1.4, marker=marker)
    if min(values) <= 0 <= max(values):
        axes.axhline(0, color=INK, linewidth=0.5, alpha=0.5)
    axes.set_title(f"{curve.name}, weighted" if total else curve.name, loc="left", fontsize=9)
    axes.tick_params(labelsize=7)
    axes.locator_params(nbins=5)
    axes.spines[["top", "right"]].set_visible(False)
