"""Cosine of images and captions by layer, one panel per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.tables.figures.canvas import COLOURS, INK, MARKERS, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL_INCHES = (2.5, 2.7)


@dataclass(frozen=True, kw_only=True)
class LayerCurves:
    """Of one row: mean cosine by layer with an image's own caption and with those of others."""

    label: str
    own: tuple[float, ...]
    others: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class AlignmentByLayer:
    """A picture of rows side by side, on one scale."""

    title: str
    caption: str
    rows: tuple[LayerCurves, ...]

    def draw(self) -> Figure:
        """Own captions drawn through, others' dashed; what lies between is shaded."""
        figure = blank(PANEL_INCHES[0] * len(self.rows) + 0.6, PANEL_INCHES[1] + 1.1)
        panels = figure.subplots(1, len(self.rows), sharey=True, squeeze=False)[0]
        for axes, row in zip(panels, self.rows, strict=True):
            _panel(axes, row)
        panels[0].set_ylabel("mean cosine")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False)
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=11)
        figure.supxlabel(self.caption, x=0.01, ha="left", fontsize=8)
        return figure


def _panel(axes: Any, row: LayerCurves) -> None:
    layers = range(len(row.own))
    axes.fill_between(layers, row.others, row.own, color=COLOURS[5], alpha=0.3, linewidth=0)
    axes.plot(layers, row.own, color=COLOURS[0], marker=MARKERS[0], label="its own caption")
    axes.plot(
        layers, row.others, color=COLOURS[1], marker=MARKERS[1], linestyle="--",
        label="other captions",
    )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.5, alpha=0.5)
    axes.set_title(row.label, loc="left", fontsize=9)
    axes.set_xticks(layers)
    axes.set_xlabel("layer")
    axes.spines[["top", "right"]].set_visible(False)
