"""Receiver operating curves: what is caught against what is caught wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.tables.figures.canvas import COLOURS, INK, MARKERS, blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL_INCHES = (3.3, 3.3)
CAPTION_INCHES = 1.0
COLUMNS = (
    "form", "scope", "n_attacked", "n_twins", "area", "caught_at_1_percent_wrong",
    "caught_as_set", "wrong_as_set", "false_positive_rate", "true_positive_rate",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RocCurve:
    """One set of attacked pictures against harmless twins. All rates 0 to 1.

    `caught_at_bar` is the share caught where at most 1 % of the twins are; `as_set` is where the
    method's own threshold stands. `points` are (false, true) positives from threshold to threshold.
    """

    form: str
    scope: str
    n_attacked: int
    n_twins: int
    area: float
    caught_at_bar: float
    caught_as_set: float
    wrong_as_set: float
    points: tuple[tuple[float, float], ...]

    @property
    def line(self) -> str:
        """The figures in one line."""
        return (
            f"{self.form}, {self.scope} (n = {self.n_attacked} against {self.n_twins}): "
            f"AUC {self.area:.3f}, {100 * self.caught_at_bar:.1f} % caught at 1 % false positives; "
            f"as set {100 * self.caught_as_set:.1f} % caught, {100 * self.wrong_as_set:.1f} % wrong"
        )


@dataclass(frozen=True, kw_only=True)
class RocPicture:
    """A panel per form; in each a curve per scope, and a mark where the threshold stands."""

    title: str
    caption: str
    curves: tuple[RocCurve, ...]

    def draw(self) -> Figure:
        """Panels from left to right in the order of the curves."""
        forms = list(dict.fromkeys(curve.form for curve in self.curves))
        scopes = list(dict.fromkeys(curve.scope for curve in self.curves))
        figure = blank(PANEL_INCHES[0] * max(2, len(forms)), PANEL_INCHES[1] + CAPTION_INCHES)
        (panels,) = figure.subplots(1, len(forms), squeeze=False, sharey=True)
        for axes, form in zip(panels, forms, strict=True):
            _panel(axes, [c for c in self.curves if c.form == form], scopes)
            axes.set_title(form.replace("_", " "), loc="left", fontsize=9)
        panels[0].set_ylabel("attacked pictures caught")
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=10)
        figure.supxlabel(self.caption, x=0.01, ha="left", fontsize=8)
        return figure


def csv_rows(curves: Sequence[RocCurve]) -> list[dict[str, str | int | float]]:
    """One row per point of each curve, its figures repeated; columns as in `COLUMNS`."""
    return [
        dict(
            zip(
                COLUMNS,
                (
                    curve.form, curve.scope, curve.n_attacked, curve.n_twins, curve.area,
                    curve.caught_at_bar, curve.caught_as_set, curve.wrong_as_set, *point,
                ),
                strict=True,
            )
        )
        for curve in curves
        for point in curve.points
    ]  # fmt: skip


def _panel(axes: Any, curves: Sequence[RocCurve], scopes: Sequence[str]) -> None:
    for curve in curves:
        place = scopes.index(curve.scope)
        wrongly, rightly = zip(*curve.points, strict=True)
        label = f"{curve.scope.replace('_', ' ')}, AUC {curve.area:.2f}"
        axes.step(wrongly, rightly, where="post", color=COLOURS[place], label=label, linewidth=1.6)
        axes.plot(
            [curve.wrong_as_set], [curve.caught_as_set], MARKERS[place], color=COLOURS[place],
            markeredgecolor=INK, markersize=9 - 2 * place, clip_on=False,
        )  # fmt: skip
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.6, linestyle=":")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="harmless twins caught")
    axes.tick_params(labelsize=7)
    axes.legend(loc="lower right", fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
