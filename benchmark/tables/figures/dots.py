"""Rates with their intervals: one line per row, one mark per figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.tables.figures.canvas import COLOURS, MARKERS, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINE_INCHES = 0.42
MARGIN_INCHES = 1.5
SPREAD = 0.6


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A rate 0 to 1 with the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class DotRow:
    """One line: a figure for each of the series, None where there is none."""

    label: str
    dots: tuple[Dot | None, ...]


@dataclass(frozen=True, kw_only=True)
class Dots:
    """A picture of rows by several rates, in per cent."""

    title: str
    caption: str
    series: tuple[str, ...]
    rows: tuple[DotRow, ...]

    def draw(self) -> Figure:
        """Rows from top to bottom as given, the series told apart by colour and mark."""
        figure = blank(9.0, MARGIN_INCHES + LINE_INCHES * len(self.rows))
        axes = figure.add_subplot()
        n = len(self.series)
        for place, name in enumerate(self.series):
            found = [
                (y + SPREAD * ((place + 0.5) / n - 0.5), row.dots[place])
                for y, row in enumerate(self.rows)
            ]
            known = [(y, dot) for y, dot in found if dot is not None]
            axes.errorbar(
                [100 * dot.value for _, dot in known],
                [y for y, _ in known],
                xerr=[
                    [100 * (dot.value - dot.low) for _, dot in known],
                    [100 * (dot.high - dot.value) for _, dot in known],
                ],
                fmt=MARKERS[place % len(MARKERS)], color=COLOURS[place % len(COLOURS)],
                markersize=5, capsize=2, linewidth=1, label=name,
            )  # fmt: skip
        for y in range(1, len(self.rows)):
            axes.axhline(y - 0.5, color="#dddddd", linewidth=0.8)
        axes.set_yticks(range(len(self.rows)), [row.label for row in self.rows])
        axes.set_ylim(len(self.rows) - 0.5, -0.5)
        axes.set_xlim(-3, 103)
        axes.set_xlabel(self.caption)
        axes.set_title(self.title, loc="left", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower left", ncols=min(n, 4), frameon=False)
        return figure
