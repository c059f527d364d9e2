"""Rates step by step: one panel per group, one line per series, with the range that was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

from benchmark.tables.figures.canvas import COLOURS, MARKERS, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL_INCHES = (2.5, 2.9)
N_ACROSS = 4
SPREAD = 0.24
LETTERS_PER_INCH = 14
"""Of a caption."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """A mean rate 0 to 1 with the lowest and the highest that were seen, or the ends of its
    interval; one that is void is drawn hollow."""

    mean: float
    low: float
    high: float
    void: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series: a figure at each step, None where there is none."""

    name: str
    points: tuple[Range | None, ...]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One group; every panel of a picture has the same series in the same order."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Panels:
    """A picture of several groups side by side over the same steps, in per cent; more than
    `N_ACROSS` are spread evenly over several lines."""

    title: str
    caption: str
    steps: tuple[str, ...]
    panels: tuple[Panel, ...]

    def draw(self) -> Figure:
        """Lines are told apart by colour and mark, and stand a little apart where they meet."""
        down = math.ceil(len(self.panels) / N_ACROSS)
        across = math.ceil(len(self.panels) / down)
        width = PANEL_INCHES[0] * across + 1.6
        figure = blank(width, PANEL_INCHES[1] * down + 1.3)
        drawn = figure.subplots(down, across, squeeze=False, sharey=True)
        every = drawn.flatten()
        for axes, panel in zip(every, self.panels, strict=False):
            self._panel(axes, panel)
        for axes in every[len(self.panels) :]:
            axes.set_visible(False)
        for first in drawn[:, 0]:
            first.set_ylabel("per cent")
        handles, names = every[0].get_legend_handles_labels()
        # On the side: below, it would lie on the caption.
        figure.legend(handles, names, loc="outside right upper", frameon=False, fontsize=8)
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=11)
        most = int(width * LETTERS_PER_INCH)
        caption = "\n".join(fill(line, width=most) for line in self.caption.splitlines())
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=8)
        return figure

    def _panel(self, axes: Any, panel: Panel) -> None:
        for place, line in enumerate(panel.lines):
            shift = SPREAD * ((place + 0.5) / len(panel.lines) - 0.5)
            known = [(x + shift, p) for x, p in enumerate(line.points) if p is not None]
            colour, mark = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
            axes.errorbar(
                [x for x, _ in known],
                [100 * point.mean for _, point in known],
                yerr=[
                    # A mean of equal numbers may round past them.
                    [max(0.0, 100 * (point.mean - point.low)) for _, point in known],
                    [max(0.0, 100 * (point.high - point.mean)) for _, point in known],
                ],
                marker=mark, color=colour, markersize=4, capsize=1.5, linewidth=1, label=line.name,
            )  # fmt: skip
            void = [(x, 100 * point.mean) for x, point in known if point.void]
            axes.plot(
                [x for x, _ in void], [y for _, y in void],
                linestyle="none", marker=mark, color=colour, markerfacecolor="white",
                markersize=4, zorder=3,
            )  # fmt: skip
        axes.set_title(panel.title, loc="left", fontsize=9)
        axes.set_xticks(range(len(self.steps)), self.steps, rotation=35, ha="right", fontsize=7)
        axes.set_xlim(-0.4, len(self.steps) - 0.6)
        axes.set_ylim(-4, 104)
        axes.tick_params(axis="y", labelsize=7)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
