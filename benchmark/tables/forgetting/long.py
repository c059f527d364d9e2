"""What a row knows of persons as lines of the long table, in its own columns."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.scoring.forgetting.figures import Figure
from benchmark.tables.board import Board
from benchmark.tables.forgetting.board import ALL, PersonsRow

Line = dict[str, object]
SEPARATE = "+"


def persons_lines(board: Board, name: str) -> Iterator[Line]:
    """One line per figure: `split` is the group of persons and `form` the modality; none where
    nobody was asked about persons. Figures to gold are of the persons to forget."""
    row = board.persons.row(name) if board.persons else None
    if row is None:
        return
    for found in row.figures:
        yield _figure(found)
    for modality, distance in row.distances.items():
        yield {
            **_place("ks_distance", "forget", modality), "value": distance.value,
            "low": distance.low, "high": distance.high, "bound_low": distance.bound_low,
            "bound_high": distance.bound_high, "n_unscored": distance.n_unscored,
            "n_behaviours": distance.n_persons, "unit": "distance, 0 to 1",
        }  # fmt: skip
    yield from _others(row)


def _others(row: PersonsRow) -> Iterator[Line]:
    for to in row.to_gold:
        yield {
            **_place(f"to_gold.{to.metric}", "forget", ALL), "value": to.difference,
            "low": to.difference_low, "high": to.difference_high, "n_behaviours": to.n_persons,
            "unit": "signed difference to gold",
        }  # fmt: skip
    for one in row.membership:
        for what, found in (("auc", one.auc), ("tpr", one.tpr)):
            yield {
                **_place(f"membership_{what}.{one.attack}", "forget+never_trained", ALL),
                "value": found.value, "low": found.low, "high": found.high,
                "bound_low": found.bound_low, "bound_high": found.bound_high,
                "n_unscored": found.n_unscored,
                "n_behaviours": found.n_positive + found.n_negative,
            }  # fmt: skip
    for kept in row.kept:
        yield {
            **_place(f"kept.{kept.metric}", "retain", ALL), "value": kept.value, "low": kept.low,
            "high": kept.high, "n_behaviours": kept.n_persons, "lower_is_better": False,
            "unit": "share of the untouched model's",
        }  # fmt: skip
    for leak in row.leaks:
        told = (leak.value, leak.low, leak.high) if leak.can_be else (None, None, None)
        yield {
            **_place("modality_leak", "forget", f"{leak.trained}>{leak.asked}"),
            **dict(zip(("value", "low", "high"), told, strict=True)),
            "n_behaviours": leak.n_persons, "unit": "difference of rates, -2 to 2",
        }  # fmt: skip


def _figure(found: Figure) -> Line:
    modality = ALL if SEPARATE in found.modality else found.modality
    return {
        **_place(found.metric, found.group, modality), "value": found.value, "low": found.low,
        "high": found.high, "bound_low": found.bound_low, "bound_high": found.bound_high,
        "n_total": found.n_total, "n_scored": found.n_scored, "n_unscored": found.n_unscored,
        "n_behaviours": found.n_persons, "unit": found.unit,
    }  # fmt: skip


def _place(metric: str, group: str, modality: str) -> Line:
    return {
        "metric_id": f"{metric}@persons/{group}/{modality}", "metric": metric, "card": "persons",
        "split": group, "form": modality,
    }  # fmt: skip
