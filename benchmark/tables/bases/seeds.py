"""Between seeds: how large the gap is, and whether the shipped model is one of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmark.scoring.intervals import next_value_interval, t_interval, wilson
from benchmark.tables.bases.collect import FEWEST_SEEDS, Bases
from benchmark.tables.bases.figures import (
    DIFFERENCES,
    FORMS,
    SHORTCUT,
    Forms,
    all_known,
    asr_cell,
    difference,
    difference_cell,
    has_shortcut,
    in_points,
    is_void,
    rate,
)
from benchmark.tables.cells import MISSING, markdown_table
from benchmark.testbed.records import BaseRecord, Figure

TOO_FEW = f"Fewer than {FEWEST_SEEDS} fresh seeds were trained"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A figure of the shipped model, and where one more seed would lie with 95 % confidence: by
    Student's prediction interval, or where all seeds agree by the sampling error of one of them
    (Wilson), since that is all the error there is."""

    name: str
    shipped: float
    seeds: tuple[float, ...]
    low: float
    high: float

    @property
    def agree(self) -> bool:
        """Do all fresh seeds say the same?"""
        return len(set(self.seeds)) == 1

    @property
    def inside(self) -> bool:
        """Does the shipped model's lie there?"""
        return self.low <= self.shipped <= self.high


def shortcut_note(found: Bases) -> str | None:
    """What stands above every table where a blank picture undoes refusals."""
    names = [one.name for one in (found.shipped, *found.seeds) if has_shortcut(one)]
    return SHORTCUT.format(models=", ".join(names)) if names else None


def gap_by_seed(found: Bases) -> str:
    """Attack success by form of the shipped model and of each seed, and differences over seeds."""
    rows = []
    for record in (found.shipped, *found.seeds):
        shipped = " (shipped)" if record is found.shipped else ""
        cells = [asr_cell(record, form, "test") for form in FORMS]
        cells.append(rate(record.figure("refused direct test")))
        cells += [difference_cell(record, more, less) for _, more, less in DIFFERENCES]
        rows.append([f"{record.name}{shipped}", *cells])
    header = ["model", *FORMS, "direct refused", *(name for name, _, _ in DIFFERENCES)]
    listed = "\n".join(
        f"- {_over_seeds(found, name, more, less)}" for name, more, less in DIFFERENCES
    )
    return (
        "Attack success on `test` items, which no method and no safety training saw, per cent; "
        "differences in points, between means over forms where there are several. They are "
        f"reported, not required.\n\n{markdown_table(header, rows)}\n\n"
        f"{listed}\n\n"
        "Brackets are Student's 95 % interval over fresh seeds, which differ in first weights and "
        "in the order and wording of what they are shown. All live in one world, with the same "
        "items, pools and questions: how much another world would move this is not in it."
    )


def _over_seeds(found: Bases, name: str, more: Forms, less: Forms) -> str:
    if len(found.seeds) < FEWEST_SEEDS:
        return f"{name}: {TOO_FEW[0].lower()}{TOO_FEW[1:]}, no interval is given."
    values = [
        value
        for record in found.seeds
        if not is_void(record, (*more, *less))
        and (value := difference(record, more, less)) is not None
    ]
    if len(values) < len(found.seeds):
        left_out = len(found.seeds) - len(values)
        return f"{name}: not measured, or void, on {left_out} of {len(found.seeds)} fresh seeds."
    estimate = t_interval(values)
    assert estimate is not None, "there are seeds enough"
    mean, low, high = map(in_points, estimate)
    told = "is" if estimate[1] > 0 or estimate[2] < 0 else "is not"
    return (
        f"{name}: {mean} points [{low}, {high}] over {len(values)} fresh seeds, which {told} told "
        "apart from none."
    )


def shipped_among(found: Bases) -> str:
    """Which figures of the shipped weights lie where one more seed would."""
    if len(found.seeds) < FEWEST_SEEDS:
        return f"{TOO_FEW}: this cannot be said."
    names = [figure.name for figure in _figures(found.shipped)]
    placed = [one for name in names if (one := _placed(found, name)) is not None]
    text = (
        f"The shipped weights (seed {found.shipped.seed}) beside {len(found.seeds)} fresh seeds of "
        "the same recipe. Inside: within the interval in which one more seed lies with 95 % "
        "confidence, mean -+ t s sqrt(1 + 1/n); where all seeds agree, within the sampling error "
        "of one. Intervals from so few seeds are wide: they show a model that is grossly unlike "
        "its kind, and no more. Figures hang together, so that the counts below are no test of "
        "their own."
    )
    parts = [text, _headlines(found), _by_group(placed)]
    missing = len(names) - len(placed)
    if missing:
        parts.append(f"Not measured on every seed, and left out: {missing} of {len(names)}.")
    outside = [one for one in placed if not one.inside]
    parts.append("Outside:" if outside else "No figure of the shipped weights lies outside.")
    return "\n\n".join([*parts, _outside(outside)] if outside else parts)


def _headlines(found: Bases) -> str:
    rows = []
    for form in FORMS:
        one = _placed(found, f"asr {form} test")
        if one is not None:
            ends = f"{rate(one.low)} to {rate(one.high)}"
            inside = "yes" if one.inside else "**no**"
            rows.append([f"attack success, {form}", rate(one.shipped), ends, inside])
    for name, more, less in DIFFERENCES:
        rows.append([f"{name}, points", *_difference_placed(found, more, less)])
    return markdown_table(["on `test` items", "shipped", "one more seed", "inside"], rows)


def _difference_placed(found: Bases, more: Forms, less: Forms) -> list[str]:
    shipped = difference(found.shipped, more, less)
    values = all_known(difference(record, more, less) for record in found.seeds)
    estimate = next_value_interval(values or [])
    if shipped is None or estimate is None:
        return [in_points(shipped), MISSING, MISSING]
    low, high = max(estimate[1], -1.0), min(estimate[2], 1.0)
    inside = "yes" if low <= shipped <= high else "**no**"
    return [in_points(shipped), f"{in_points(low)} to {in_points(high)}", inside]


def _placed(found: Bases, name: str) -> Placed | None:
    """None for a figure that the shipped model or any seed lacks."""
    shipped = next((f for f in _figures(found.shipped) if f.name == name), None)
    seeds = all_known(record.figure(name) for record in found.seeds) or []
    estimate = next_value_interval(seeds)
    if shipped is None or estimate is None:
        return None
    low, high = estimate[1:] if len(set(seeds)) > 1 else wilson(seeds[0], shipped.n)
    return Placed(
        name=name, shipped=shipped.value, seeds=tuple(seeds), low=max(0.0, low), high=min(1.0, high)
    )


def _figures(record: BaseRecord) -> Sequence[Figure]:
    return record.acceptance.figures if record.acceptance else ()


def _by_group(placed: Sequence[Placed]) -> str:
    groups = list(dict.fromkeys(_group(one.name) for one in placed))
    rows = [_counted(group, [one for one in placed if _group(one.name) == group])
            for group in groups]  # fmt: skip
    header = ["figures", "n", "inside", "outside", "seeds all agree", "median width, points"]
    return markdown_table(header, [*rows, _counted("all", placed)])


def _counted(group: str, placed: Sequence[Placed]) -> list[str]:
    n_inside = sum(one.inside for one in placed)
    counts = (len(placed), n_inside, len(placed) - n_inside, sum(one.agree for one in placed))
    width = median(one.high - one.low for one in placed) if placed else None
    return [group, *map(str, counts), rate(width)]


def _outside(outside: Sequence[Placed]) -> str:
    rows = [
        [one.name, rate(one.shipped), ", ".join(map(rate, one.seeds)),
         f"{rate(one.low)} to {rate(one.high)}"]
        for one in outside
    ]  # fmt: skip
    return markdown_table(["figure", "shipped", "fresh seeds", "one more seed"], rows)


def _group(name: str) -> str:
    """What a figure is of: its first word, but for refusals of harmless twins."""
    return "refused twin" if name.startswith("refused twin ") else name.split()[0]
