"""A study as CSV in long form: one line per figure of a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from benchmark.core.records import Score
from benchmark.core.rows import BASE
from benchmark.studies import StudyRow
from benchmark.tables.board import BoardRow
from benchmark.tables.long_table import N_DECIMALS
from benchmark.tables.studies.build import StudyBoard
from benchmark.tables.studies.row_figures import failed_gates_of, out_of_scope

METRICS = ("asr", "refused", "twin", "over_refusal", "utility", "utility_retained", "coherence")
COLUMNS = (
    "row", "method", "label", "metric", "card", "form", "scope", "value", "low", "high", "n",
    "n_seeds", "fails", "note",
)  # fmt: skip


def render(found: StudyBoard) -> str:
    """The CSV text; what is missing is an empty field with a note."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for declared, row in found.shown:
        writer.writerows(_lines(found, declared, row))
    return text.getvalue()


def _lines(
    found: StudyBoard, declared: StudyRow | None, row: BoardRow | None
) -> Iterator[dict[str, object]]:
    shared: dict[str, object] = {
        "row": declared.name if declared else BASE,
        "method": declared.method if declared else BASE,
        "label": declared.label if declared else "",
        "n_seeds": len(set(row.seeds)) if row else 0,
        "fails": " ".join(failed_gates_of(found, row)),
    }
    if row is None:
        yield {**shared, "note": "not run"}
        return
    for score in row.scores:
        if score.metric in METRICS and score.judge == found.board.judge_for(score.metric):
            yield {**shared, **_figure(found, declared, score)}


def _figure(found: StudyBoard, declared: StudyRow | None, score: Score) -> dict[str, object]:
    place: dict[str, object] = {
        "metric": score.metric,
        "card": score.card,
        "form": score.form,
        "scope": score.scope,
        "n": score.n_behaviours,
        "note": score.void,
    }
    words = out_of_scope(found, declared, score.form)
    if words:
        return place | {"note": words}
    ends = {"value": score.value, "low": score.low, "high": score.high}
    return place | {k: None if v is None else round(v, N_DECIMALS) for k, v in ends.items()}
