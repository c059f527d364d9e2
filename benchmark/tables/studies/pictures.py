"""The pictures of a study's page."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.records import Score
from benchmark.core.rows import BASE
from benchmark.core.samples import Scope
from benchmark.scoring.attacked import family_name
from benchmark.scoring.plan import HELD_OUT
from benchmark.studies import StudyRow
from benchmark.tables.board import BoardRow
from benchmark.tables.cells import borne, percent
from benchmark.tables.details import SCOPE_NAMES
from benchmark.tables.figures.canvas import Picture
from benchmark.tables.figures.dots import Dot, DotRow, Dots
from benchmark.tables.figures.heat_map import HeatMap, MapRow
from benchmark.tables.figures.panels import Line, Panel, Panels, Range
from benchmark.tables.studies.build import StudyBoard
from benchmark.tables.studies.coverage import Curve, curves_of
from benchmark.tables.studies.row_figures import (
    attack_score,
    collapsed,
    failed_gates_of,
    out_of_scope,
)


def pictures(found: StudyBoard) -> dict[str, Picture]:
    """By the ending of their file's name."""
    made: dict[str, Picture] = {}
    if "forms" in found.study.views:
        made["forms.png"] = _forms(found)
    if "figures" in found.study.views:
        made["figures.png"] = _figures(found)
    if "coverage" in found.study.views:
        curves = curves_of(found.study)
        for axis in ("categories", "behaviours"):
            along = [curve for curve in curves if curve.axis == axis]
            if along:
                made[f"{axis}.png"] = _coverage(found, axis, along)
    return made


def _coverage(found: StudyBoard, axis: str, curves: Sequence[Curve]) -> Panels:
    """Held-out and unseen behaviours side by side, a line for each method and family; the untouched
    model stands at 0."""
    steps = sorted({0, *(n for curve in curves for n, _ in curve.points)})
    panels = []
    scopes: tuple[Scope, ...] = (HELD_OUT, "unseen")
    for scope in scopes:
        lines = [
            Line(
                name=f"{_curve_name(curve, curves)}, {borne(family)}",
                points=tuple(
                    _point(found, ({0: BASE} | dict(curve.points)).get(n), family, scope)
                    for n in steps
                ),
            )
            for curve in curves
            for family in found.board.families
        ]
        panels.append(Panel(title=SCOPE_NAMES[scope], lines=tuple(lines)))
    totals = {curve.n_behaviours for curve in curves}
    at = f" ({totals.pop()} behaviours in all)" if axis == "categories" and len(totals) == 1 else ""
    return Panels(
        title="Attack success, per cent",
        caption=f"{axis} of the forget pool{at}, 0 is the untouched model; 95 % intervals, on "
        f"{found.study.model}.\nHollow: fails the gate of twins, coherence or utility, so that a "
        "low figure is no safety.",
        steps=tuple(map(str, steps)),
        panels=tuple(panels),
    )


def _curve_name(curve: Curve, curves: Sequence[Curve]) -> str:
    alone = len({one.n_behaviours for one in curves}) == 1
    return curve.method if alone else f"{curve.method} ({curve.n_behaviours} behaviours)"


def _point(found: StudyBoard, name: str | None, family: str, scope: Scope) -> Range | None:
    """None for a row that is not there: a missing row is not a zero."""
    row = found.figures(name) if name is not None else None
    dot = _dot(attack_score(found, row, family_name(family), scope))
    if dot is None:
        return None
    return Range(mean=dot.value, low=dot.low, high=dot.high, void=collapsed(found, row))


def _forms(found: StudyBoard) -> HeatMap:
    rows = []
    for declared, row in found.shown:
        failed = failed_gates_of(found, row)
        values = [
            "out of scope"
            if out_of_scope(found, declared, form)
            else _value(attack_score(found, row, form))
            for form in found.board.forms
        ]
        rows.append(
            MapRow(
                group=declared.method if declared else BASE,
                label=declared.label if declared else "",
                values=tuple(values),
                remark="not run"
                if row is None
                else f"fails: {', '.join(failed)}"
                if failed
                else "",
                broken=collapsed(found, row),
            )
        )
    return HeatMap(
        title=f"{found.study.title}: attack success, held out, per cent",
        caption=f"{found.study.model}. Hatched: fails the gate of twins, coherence or utility, so "
        "that a low figure is no safety.",
        columns=tuple(found.board.forms),
        rows=tuple(rows),
    )


def _figures(found: StudyBoard) -> Dots:
    families = list(found.board.families)
    judge_for = found.board.judge_for
    rows = []
    for declared, row in found.shown:
        dots = []
        for metric, scope in (("asr", HELD_OUT), ("twin", None)):
            for family in families:
                form = family_name(family)
                score = (
                    row.score(metric, judge=judge_for(metric), form=form, scope=scope)
                    if row
                    else None
                )
                dots.append(None if out_of_scope(found, declared, form) else _dot(score))
        rows.append(DotRow(label=_label(found, declared, row), dots=tuple(dots)))
    return Dots(
        title=found.study.title,
        caption=f"per cent with 95 % intervals, on {found.study.model}\n"
        "attacks on held-out behaviours (lower is safer), harmless twins (higher is better)",
        series=(
            *(f"{family}-borne attacks" for family in families),
            *(f"{family}-borne twins" for family in families),
        ),
        rows=tuple(rows),
    )


def _label(found: StudyBoard, declared: StudyRow | None, row: BoardRow | None) -> str:
    if declared is None:
        return BASE
    name = f"{declared.method}\n{declared.label}" if declared.label else declared.method
    return f"{name} (not run)" if row is None else name


def _value(score: Score | None) -> float | str:
    return percent(score) if score is None or score.value is None else score.value


def _dot(score: Score | None) -> Dot | None:
    if score is None or score.value is None or score.low is None or score.high is None:
        return None
    return Dot(value=score.value, low=score.low, high=score.high)
