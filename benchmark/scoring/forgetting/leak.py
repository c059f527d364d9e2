"""What was forgotten in one modality and is still told in another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.core.errors import UserError
from benchmark.core.forgetting import Asked
from benchmark.scoring.compare import paired
from benchmark.scoring.forgetting.measures import (
    MEASURES,
    Told,
    by_person,
    cells_by_name,
    measure_named,
)
from benchmark.scoring.intervals import paired_interval

RATES = tuple(name for name in MEASURES if measure_named(name).unit == "rate")


@dataclass(frozen=True, kw_only=True)
class Leak:
    """How much more of a figure is left where persons are `asked` about than where a method was
    `trained`, beyond what the untouched model shows, -2 to 2, with its 95 % interval. None where no
    person was scored four times. `n_unscored` persons were not, though all four were asked.
    `lowered` is how much less than in the untouched model is left where it was trained: where that
    is nothing, there is nothing that could leak."""

    metric: str
    trained: Asked
    asked: Asked
    value: float | None
    low: float | None
    high: float | None
    lowered: float | None
    lowered_low: float | None
    lowered_high: float | None
    n_persons: int
    n_unscored: int

    @property
    def can_be(self) -> bool:
        """Is it shown to tell less where it was trained, so that something could leak?"""
        return self.lowered_low is not None and self.lowered_low > 0


def leak(told: Told, base: Told, name: str, *, trained: Asked, asked: Asked) -> Leak:
    """Within each person (asked - trained) for the method minus the same for the untouched model.

    0: it forgot alike in both; with a measure of which knowledge has more, +1 is that all it forgot
    where it was trained is still there. Text-only leak after image training is `trained="image",
    asked="text"`; turn them round for the reverse. As `compare.text_leak` for attacks, after Hu et
    al. 2024, arXiv:2411.19939. Raises `UserError` for a measure that is no rate, and where both
    modalities are the same.
    """
    if name not in RATES:
        raise UserError(f"no leak of '{name}': it is taken of rates: {', '.join(RATES)}")
    if trained == asked:
        raise UserError(f"no leak from '{trained}' into itself: name two modalities")
    mine, theirs = (_gaps(each, name, trained=trained, asked=asked) for each in (told, base))
    differences = paired(_scored(mine), _scored(theirs))
    value, low, high = paired_interval(differences, reach=2.0) or (None, None, None)
    drop = paired_interval(_lowered(told, base, name, trained=trained)) or (None, None, None)
    return Leak(
        metric=name, trained=trained, asked=asked, value=value, low=low, high=high,
        lowered=drop[0], lowered_low=drop[1], lowered_high=drop[2],
        n_persons=len(differences), n_unscored=len(set(mine) & set(theirs)) - len(differences),
    )  # fmt: skip


def _lowered(told: Told, base: Told, name: str, *, trained: Asked) -> list[float]:
    """By person that was scored in both models: how much less is told where it was trained."""
    before, after = (by_person(cells_by_name(_only(m, trained), name)) for m in (base, told))
    return paired(_scored(before), _scored(after))


def _scored(by_person: Mapping[str, float | None]) -> dict[str, float]:
    return {person: value for person, value in by_person.items() if value is not None}


def _gaps(told: Told, name: str, *, trained: Asked, asked: Asked) -> dict[str, float | None]:
    """By person that was asked about in both modalities: how much more it is in the second."""
    before, after = (by_person(cells_by_name(_only(told, m), name)) for m in (trained, asked))
    return {
        person: _gap(after[person], value) for person, value in before.items() if person in after
    }


def _gap(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _only(told: Told, modality: Asked) -> Told:
    return Told(
        name=told.name,
        likelihoods=[row for row in told.likelihoods if row.modality == modality],
        matches=[row for row in told.matches if row.modality == modality],
    )
