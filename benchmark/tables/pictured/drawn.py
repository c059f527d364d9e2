"""The pictures of the page of costs: how costs rise with visual tokens, and what safety costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.tables.figures.canvas import COLOURS, INK, MARKERS, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure


N_ACROSS = 2
ROOM = 0.04
"""Of attack success, for a name."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line: (visual tokens per token of text, times the cost of text alone, least, most)."""

    name: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class RatioCurves:
    """Cost beside pictures over cost by text alone, against visual tokens per token of text."""

    title: str
    caption: str
    claimed: float
    series: tuple[Series, ...]

    def draw(self) -> Figure:
        """Both axes are logarithmic; the claimed ratio is a line across."""
        figure = blank(6.4, 4.4)
        axes = figure.subplots()
        for place, line in enumerate(self.series):
            x, y, low, high = zip(*line.points, strict=True)
            below = [max(0.0, b - a) for a, b in zip(low, y, strict=True)]
            above = [max(0.0, b - a) for a, b in zip(y, high, strict=True)]
            axes.errorbar(
                x, y, yerr=[below, above], label=line.name, color=COLOURS[place % len(COLOURS)],
                marker=MARKERS[place % len(MARKERS)], markersize=4, capsize=1.5, linewidth=1,
            )  # fmt: skip
        axes.axhline(self.claimed, color=INK, linewidth=0.8, linestyle="--")
        axes.annotate(
            f"{self.claimed:g} times", (0.01, self.claimed), xycoords=("axes fraction", "data"),
            xytext=(0, 3), textcoords="offset points", fontsize=8,
        )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("visual tokens per token of text", fontsize=8)
        axes.set_ylabel("times the cost of text alone", fontsize=8)
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(0, 0.93))
        _plain(axes)
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=11)
        figure.supxlabel(self.caption, x=0.01, ha="left", fontsize=8)
        return figure


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One row of a board: device-seconds, attack success 0 to 1, whether it may be ranked, whether
    its model works no more, and whether it is on the line."""

    name: str
    training_s: float
    asr: float
    ranked: bool
    broken: bool
    best: bool


@dataclass(frozen=True, kw_only=True)
class CostPanel:
    """The rows of one board, measured on one device; `unit` is of what its seconds are."""

    title: str
    unit: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, kw_only=True)
class CostToTarget:
    """Attack success against what training cost, a panel for each board."""

    title: str
    caption: str
    panels: tuple[CostPanel, ...]

    def draw(self) -> Figure:
        """Filled where a row may be ranked, hollow where not, a cross where its model is broken; a
        line joins those of the others that no cheaper one is as safe as."""
        lines = -(-len(self.panels) // N_ACROSS)
        figure = blank(4.6 * min(N_ACROSS, len(self.panels)), 3.9 * lines + 0.3)
        across = min(N_ACROSS, len(self.panels))
        drawn = figure.subplots(lines, across, squeeze=False, sharey=True).flatten()
        for axes, panel in zip(drawn, self.panels, strict=False):
            _panel(axes, panel.dots)
            axes.set_title(panel.title, loc="left", fontsize=9)
            axes.set_xlabel(f"{panel.unit}-seconds of training", fontsize=8)
            axes.set_ylabel("attack success, per cent", fontsize=8)
        for axes in drawn[len(self.panels) :]:
            axes.set_visible(False)
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=11)
        figure.supxlabel(self.caption, x=0.01, ha="left", fontsize=8)
        return figure


def _panel(axes: Any, dots: tuple[Dot, ...]) -> None:
    for dot in dots:
        face = COLOURS[0] if dot.ranked else "white"
        place = (dot.training_s, 100 * dot.asr)
        axes.plot(
            *place, marker="x" if dot.broken else "o", linestyle="none", markersize=4,
            color=COLOURS[0], markerfacecolor=face,
        )  # fmt: skip
    for dot in _named(dots):
        place = (dot.training_s, 100 * dot.asr)
        axes.annotate(dot.name, place, xytext=(4, 3), textcoords="offset points", fontsize=6)
    best = [dot for dot in dots if dot.best]
    if best:
        # On to the dearest row of all, for what costs more and is no safer is above it.
        end = max(dot.training_s for dot in dots)
        axes.step(
            [*(dot.training_s for dot in best), end],
            [100 * dot.asr for dot in (*best, best[-1])],
            where="post", color=COLOURS[1], linewidth=1,
        )  # fmt: skip
    # Rows that train nothing cost nought.
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_ylim(-4, 104)
    _plain(axes)


def _named(dots: tuple[Dot, ...]) -> list[Dot]:
    """Those on the line, and of the others as many as have room for their names."""
    named: list[Dot] = []
    for dot in sorted(dots, key=lambda dot: (not dot.best, dot.broken)):
        if dot.best or all(abs(dot.asr - other.asr) > ROOM for other in named):
            named.append(dot)
    return named


def _plain(axes: Any) -> None:
    axes.tick_params(labelsize=7)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
