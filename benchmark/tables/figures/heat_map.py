"""Rates as a heat map: rows in groups, the value in every cell, broken rows hatched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.tables.figures.canvas import INK, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL_INCHES = (0.82, 0.27)
MARGIN_INCHES = (5.2, 1.7)
# Light enough above it for dark ink, on the map that is used.
LIGHT = 0.55


@dataclass(frozen=True, kw_only=True)
class MapRow:
    """One row; `values` are rates 0 to 1, or words where there is none; `remark` stands at its
    end."""

    group: str
    label: str
    values: tuple[float | str, ...]
    remark: str = ""
    broken: bool = False


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """A picture of rates."""

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[MapRow, ...]

    def draw(self) -> Figure:
        """Cividis, which colour-blind readers see as others do: dark is low."""
        width = MARGIN_INCHES[0] + CELL_INCHES[0] * len(self.columns)
        figure = blank(width, MARGIN_INCHES[1] + CELL_INCHES[1] * len(self.rows))
        axes = figure.add_subplot()
        self._cells(axes)
        self._labels(axes)
        axes.set_title(self.title, loc="left", fontsize=11, pad=8)
        axes.set_xlabel(self.caption, loc="left", fontsize=8, labelpad=8)
        return figure

    def _cells(self, axes: Any) -> None:
        import matplotlib as mpl
        import numpy as np

        values_RC = np.array(
            [[np.nan if isinstance(v, str) else v for v in row.values] for row in self.rows],
            dtype=float,
        )
        colours = mpl.colormaps["cividis"].with_extremes(bad="#dddddd")
        axes.imshow(values_RC, cmap=colours, vmin=0, vmax=1, aspect="auto")
        for y, row in enumerate(self.rows):
            for x, value in enumerate(row.values):
                words = isinstance(value, str)
                text = value if isinstance(value, str) else f"{100 * value:.0f}"
                ink = INK if isinstance(value, str) or value > LIGHT else "white"
                size = 6.5 if words else 8
                axes.text(x, y, text, ha="center", va="center", color=ink, fontsize=size)
            if row.broken:
                self._hatch(axes, y)

    def _hatch(self, axes: Any, y: int) -> None:
        from matplotlib.patches import Rectangle

        axes.add_patch(
            Rectangle(
                (-0.5, y - 0.5), len(self.columns), 1, fill=False, hatch="////", linewidth=0,
                edgecolor="#ffffff55",
            )
        )  # fmt: skip

    def _labels(self, axes: Any) -> None:
        axes.set_xticks(range(len(self.columns)), self.columns, rotation=30, ha="left")
        axes.xaxis.set_ticks_position("top")
        axes.tick_params(length=0)
        axes.set_yticks(range(len(self.rows)), [_name(row) for row in self.rows], fontsize=8)
        for y, row in enumerate(self.rows):
            remark = row.remark
            x = len(self.columns) - 0.4
            axes.text(x, y, remark, ha="left", va="center", fontsize=7.5, color=INK)
            if y and row.group != self.rows[y - 1].group:
                axes.axhline(y - 0.5, color="white", linewidth=3)
        axes.spines[:].set_visible(False)


def _name(row: MapRow) -> str:
    return f"{row.group}  {row.label}" if row.label else row.group
