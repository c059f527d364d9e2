"""What is kept of persons that were not to be forgotten, as a share of what was known of them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.scoring.forgetting.measures import Told, by_person, cells_by_name
from benchmark.scoring.intervals import paired_interval
from benchmark.scoring.rates import Cells

RECALL = "exact_match"
"""The measure by which a gate asks what is kept: whole answers that are right."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A model's figure of retained persons over the untouched model's, with its 95 % interval; 1 is
    all of it. None where no person was scored for the untouched model, or it knows nothing.
    `n_unscored` questions have no figure for this one, and count 0."""

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n_persons: int
    n_unscored: int


def kept(told: Told, base: Told, name: str) -> Kept:
    """The share of the named rate that is left, paired by person: 1 + difference / base's figure.

    As the retained utility of boards: the interval is that of the paired difference, and the
    untouched model's figure is taken as known. Both are of retained persons alone. Where a model
    says nothing that can be scored and the untouched one did, nothing is kept: it counts 0.
    """
    cells, of_base = (cells_by_name(each, name) for each in (told, base))
    n_silent = sum(
        entry is None for forms in cells.values() for own in forms.values() for entry in own
    )
    mine, theirs = by_person(_silence_as_zero(cells)), by_person(of_base)
    pairs = [
        (own, other)
        for person in sorted(set(mine) & set(theirs))
        if (own := mine[person]) is not None and (other := theirs[person]) is not None
    ]
    found = paired_interval([own - other for own, other in pairs])
    known = sum(other for _, other in pairs)
    value = low = high = None
    if found is not None and known > 0:
        value, low, high = (max(1 + end * len(pairs) / known, 0.0) for end in found)
    return Kept(
        metric=name, value=value, low=low, high=high, n_persons=len(pairs),
        n_unscored=n_silent,
    )  # fmt: skip


def _silence_as_zero(cells: Cells) -> Cells:
    return {
        person: {
            form: [0.0 if entry is None else entry for entry in own] for form, own in forms.items()
        }
        for person, forms in cells.items()
    }


def kept_reasons(found: Kept | None, *, needed: float) -> list[str]:
    """Why a model fails the gate of what it must keep (a share, held against the lower end of the
    interval), in words; none if it passes. What was not measured fails it."""
    if found is None or found.value is None or found.low is None:
        return ["what it still knows of persons to retain was not measured beside 'original'"]
    if found.low >= needed:
        return []
    return [
        f"keeps {100 * found.value:.1f} % of what 'original' answers rightly about persons to "
        f"retain, at least {100 * found.low:.1f} % (lower bound; {100 * needed:.1f} % needed)"
    ]
