"""Where rows stand on a board about persons: by how far their truth ratios are from gold's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.tables.board import BoardRow
from benchmark.tables.forgetting.board import ALL, DistanceShown, PersonsBoard
from benchmark.tables.placing import reference_order

UNMEASURED = "D to gold was not measured: "


def placed_by_distance(rows: Sequence[BoardRow], persons: PersonsBoard) -> list[BoardRow]:
    """Ranked rows first, the nearest to gold first; then those below the line; then the reference
    rows.

    A row stands above another only if the whole interval of its D lies below the other's; all
    others share ranks. One without D, or with too much unscored, cannot be ranked, and says why.
    """
    distances = {row.name: _distance(row, persons) for row in rows}
    checked = [_checked(row, distances[row.name], persons) for row in rows]
    ranked = [row for row in checked if row.place == "ranked"]
    ranks = _ranks({row.name: _ends(distances[row.name]) for row in ranked})
    ranked = [row.model_copy(update={"rank": ranks[row.name]}) for row in ranked]
    ranked.sort(key=lambda row: (row.rank, _value(distances[row.name]), row.name))
    below = [row for row in checked if row.place == "below"]
    reference = [row for row in checked if row.place == "reference"]
    return [
        *ranked,
        *sorted(below, key=lambda row: row.name),
        *sorted(reference, key=reference_order),
    ]


def _distance(row: BoardRow, persons: PersonsBoard) -> DistanceShown | None:
    found = persons.row(row.name)
    return found.distances.get(ALL) if found else None


def _checked(row: BoardRow, distance: DistanceShown | None, persons: PersonsBoard) -> BoardRow:
    found = persons.row(row.name)
    measured = distance is not None and distance.value is not None
    if row.place == "reference" or (measured and found is not None and not found.silent):
        return row
    whys = found.silent or found.reasons if found else ["no finished run"]
    reason = (UNMEASURED if not measured else "") + "; ".join(whys)
    return row.model_copy(update={"place": "below", "reasons": [*row.reasons, reason]})


def _ranks(ends: Mapping[str, tuple[float, float]]) -> dict[str, tuple[int, int]]:
    """Best and worst rank of each, 1 being the nearest to gold."""
    return {
        name: (
            1 + sum(other_high < low for _, other_high in ends.values()),
            len(ends) - sum(other_low > high for other_low, _ in ends.values()),
        )
        for name, (low, high) in ends.items()
    }


def _ends(distance: DistanceShown | None) -> tuple[float, float]:
    assert distance is not None and distance.low is not None and distance.high is not None
    return distance.low, distance.high


def _value(distance: DistanceShown | None) -> float:
    assert distance is not None and distance.value is not None
    return distance.value
