"""The part of the page of costs on the cheapest row under a given attack success."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.tables.cells import MISSING, markdown_table, number
from benchmark.tables.pictured.frontier import TARGETS, BoardCosts, Point, missed, targets

SAID = (
    "The cheapest row whose attack success on held-out behaviours, worst family, is at most this: "
    "of the rows that may be ranked, and of all methods' rows whose models work. **Broken** is a "
    "row that fails the gate of twins, coherence or utility, which a working model passes: its low "
    "attack success is no safety. Such rows are named, and are in no answer and not on the line of "
    "the picture. A row *below the line* works and may not be ranked for the reason that is given. "
    "Seconds of training on one device, by which a board's rows are compared and boards are not; "
    "several trainings are averaged. What a defence adds to every answer (a second look, a longer "
    "prompt) is not in them."
)


def to_target(costs: Sequence[BoardCosts], pictures: Sequence[str]) -> list[str]:
    """Paragraphs: what is asked, the pictures of that name, and the answers board by board."""
    parts = ["## Cost to target", SAID, *(f"![Cost to target]({name})" for name in pictures)]
    for one in costs:
        if one.points:
            parts += [f"### {one.suite} on `{one.model}`", *_of_board(one)]
    return parts


def _of_board(costs: BoardCosts) -> Iterator[str]:
    """The answers, or why there are none; then the rows that they leave out or mark."""
    devices = ", ".join(costs.devices)
    if not costs.comparable:
        yield (
            f"{MISSING}: its rows were measured on different devices ({devices}), whose seconds "
            "are not compared."
        )
        return
    yield f"On {devices}."
    if found := targets(costs.points):
        header = ["per cent", "cheapest ranked", f"{costs.unit}-s"]
        header += ["cheapest that works", f"{costs.unit}-s"]
        yield markdown_table(
            header,
            [[f"{100 * one.asr:.0f}", *_cells(one.ranked), *_cells(one.any)] for one in found],
        )
    yield from filter(None, [_missed(costs), _broken(costs), _below(costs)])


def _cells(point: Point | None) -> list[str]:
    if point is None:
        return [MISSING, MISSING]
    name = point.name if point.ranked else f"{point.name} (below the line)"
    return [name, number(point.training_s)]


def _missed(costs: BoardCosts) -> str:
    """From where on there is no answer, and how far broken models come."""
    first = missed(costs.points)
    if first is None:
        return ""
    less = " and less" if first.asr > min(TARGETS) else ""
    broken = (
        "" if first.by_broken is None else f"; a broken one gets to {100 * first.by_broken:.1f}"
    )
    return (
        f"{100 * first.asr:.0f} per cent{less}: {MISSING}, no model that works gets there{broken}."
    )


def _broken(costs: BoardCosts) -> str:
    rows = [
        f"`{point.name}` ({100 * point.asr:.1f} per cent: {', '.join(point.broken)})"
        for point in costs.points
        if point.broken
    ]
    said = "Broken, with their attack success and the gates that they fail"
    return f"{said}: {', '.join(rows)}." if rows else ""


def _below(costs: BoardCosts) -> str:
    rows = [
        f"`{point.name}` ({100 * point.asr:.1f} per cent: {'; '.join(point.reasons)})"
        for point in costs.points
        if not point.ranked and not point.broken
    ]
    said = "Below the line, with their attack success and the reasons"
    return f"{said}: {', '.join(rows)}." if rows else ""
