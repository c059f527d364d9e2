"""The part of a study's page on how much of the forget pool a method had."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.records import Score
from benchmark.core.rows import BASE
from benchmark.core.samples import Scope
from benchmark.scoring.attacked import family_name
from benchmark.scoring.plan import HELD_OUT
from benchmark.tables.cells import (
    MISSING,
    borne,
    markdown_table,
    percent_interval,
    points,
    probability,
)
from benchmark.tables.details import SCOPE_NAMES
from benchmark.tables.studies.build import StudyBoard
from benchmark.tables.studies.coverage import Axis, Curve, LeftOut, curves_of
from benchmark.tables.studies.row_figures import attack_score, collapsed, marked

SCOPES: tuple[Scope, ...] = (HELD_OUT, "unseen")
HOW: dict[Axis, str] = {
    "categories": "**Categories, at one number of behaviours in all.** More categories are fewer "
    "behaviours of each.",
    "behaviours": "**Behaviours, of all categories.**",
}
DRAWN = (
    "Which categories and behaviours a row is given is drawn by the run's seed, so that the seeds "
    "of a row differ in it, and under one seed more holds fewer. A behaviour comes with all its "
    "prompts and pictures. Unseen: behaviours of categories that no row and no safety training "
    "ever had."
)


def coverage_section(found: StudyBoard) -> str:
    """Both curves as tables and pictures, then what became of categories that were left out."""
    curves = curves_of(found.study)
    parts = [DRAWN]
    for axis in HOW:
        along = [curve for curve in curves if curve.axis == axis]
        if along:
            picture = f"![Attack success by {axis}]({found.study.name}.{axis}.png)"
            parts += [HOW[axis], picture, _curve_table(found, axis, along)]
    if found.left_out:
        parts += [_left_out_words(), *_left_out_tables(found)]
    return "\n\n".join(parts)


def _curve_table(found: StudyBoard, axis: Axis, curves: Sequence[Curve]) -> str:
    """One line for each point, the untouched model first."""
    families = list(found.board.families)
    header = ["method", "categories", "behaviours"] if axis == "categories" else ["method", axis]
    header += [f"{borne(f)}, {SCOPE_NAMES[scope]}" for scope in SCOPES for f in families]
    lines = [[BASE, *["0"] * (2 if axis == "categories" else 1), *_cells(found, BASE), ""]]
    for curve in curves:
        for n, name in curve.points:
            row = found.figures(name)
            total = [str(curve.n_behaviours)] if axis == "categories" else []
            seeds = str(len(set(row.seeds))) if row else "0"
            lines.append([curve.method, str(n), *total, *_cells(found, name), seeds])
    return markdown_table([*header, "seeds"], lines)


def _cells(found: StudyBoard, name: str) -> list[str]:
    row = found.figures(name)
    return [
        marked(found, row, percent_interval(attack_score(found, row, form, scope)), "asr")
        for scope in SCOPES
        for form in map(family_name, found.board.families)
    ]


def _left_out_words() -> str:
    return (
        "**Leave one category out.** Held-out behaviours of the category that a row was not "
        "trained on, the same behaviours under the row that was trained on all categories, and the "
        "difference of the two in points, paired by behaviour and averaged over seeds first; "
        "beside it the row's held-out behaviours of all other categories, and unseen ones. p: sign "
        "flips over behaviours, two-sided, Holm-adjusted for all these lines. In (brackets) as "
        "above; all rows together are where any of them is. A difference shows no more than its "
        "two sides do."
    )


def _left_out_tables(found: StudyBoard) -> list[str]:
    """One table per family of attacks."""
    header = ["method", "left out", "left out: its own", "all trained on: the same", "difference"]
    header += ["p", "n", "left out: the others", "left out: unseen"]
    return [
        f"{borne(family).capitalize()} attacks:\n\n"
        + markdown_table(
            header, [_line(found, one) for one in found.left_out if one.family == family]
        )
        for family in dict.fromkeys(one.family for one in found.left_out)
    ]


def _line(found: StudyBoard, one: LeftOut) -> list[str]:
    difference = [MISSING] * 3
    if one.difference is not None and one.p is not None:
        change = points(one.difference.value, one.difference.low, one.difference.high)
        difference = [change, probability(one.p), str(one.difference.n_behaviours)]
    figures = [_of_rows(found, one.rows, one.out), _of_rows(found, [one.method], one.whole)]
    beside = [_of_rows(found, one.rows, score) for score in (one.others, one.unseen)]
    return [one.method, one.category, *figures, *difference, *beside]


def _of_rows(found: StudyBoard, names: Sequence[str], score: Score | None) -> str:
    """A figure of these rows together, in brackets where any of their models works no more."""
    rows = [found.figures(name) for name in names]
    wreck = next((row for row in rows if collapsed(found, row)), None)
    return marked(found, wreck, percent_interval(score), "asr")
