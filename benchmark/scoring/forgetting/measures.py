"""The measures of forgetting by name: which rows they read, what of them, and what knowledge does.

A person's figure is the mean over facts of the mean over wordings; a model's is over persons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal, TypeVar

from benchmark.core.forgetting import LikelihoodRow, MatchRow
from benchmark.scoring.forgetting import values
from benchmark.scoring.rates import Cells, behaviour_rates

RowT = TypeVar("RowT", LikelihoodRow, MatchRow)
Unit = Literal["rate", "nats"]


@dataclass(frozen=True, kw_only=True)
class Measure(Generic[RowT]):
    """`value` is a question's figure, None where there is none; as a rate 0 to 1. `knows` says
    where it lies for a model that has the knowledge. With `first_wording` each fact counts in the
    first of its wordings that was asked."""

    value: Callable[[RowT], float | None]
    unit: Unit
    knows: Literal["higher", "lower"]
    first_wording: bool = False


BY_LIKELIHOOD: Mapping[str, Measure[LikelihoodRow]] = {
    "truth_ratio": Measure(value=values.log_truth_ratio, unit="nats", knows="lower"),
    "truth_ratio_geometric": Measure(
        value=partial(values.log_truth_ratio, mean="geometric"), unit="nats", knows="lower"
    ),
    "truth_kept": Measure(value=values.truth_kept, unit="rate", knows="higher"),
    "truth_indifference": Measure(value=values.truth_indifference, unit="rate", knows="lower"),
    "answer_probability": Measure(value=values.answer_probability, unit="rate", knows="higher"),
    "membership_loss": Measure(value=values.answer_logprob, unit="nats", knows="higher"),
    "membership_min_k": Measure(value=values.min_k, unit="nats", knows="higher"),
}
BY_MATCH: Mapping[str, Measure[MatchRow]] = {
    "exact_match": Measure(
        value=lambda row: row.exact, unit="rate", knows="higher", first_wording=True
    ),
    "exact_match_paraphrased": Measure(value=lambda row: row.exact, unit="rate", knows="higher"),
    "rouge_l": Measure(value=lambda row: row.rouge_l, unit="rate", knows="higher"),
    "rouge_l_recall": Measure(value=lambda row: row.rouge_l_recall, unit="rate", knows="higher"),
}
MEASURES = (*BY_LIKELIHOOD, *BY_MATCH)
"""Their names. `truth_ratio` is log R: its distances are the same as R's, and its mean is not the
few largest ratios'. The paraphrase-averaged exact match is over all wordings of each fact."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one model was found to know of persons; `name` says which model it is."""

    name: str
    likelihoods: Sequence[LikelihoodRow] = ()
    matches: Sequence[MatchRow] = ()


def counted(rows: Sequence[RowT], measure: Measure[RowT]) -> list[RowT]:
    """The rows that a measure is over."""
    if not measure.first_wording:
        return list(rows)
    first: dict[tuple[str, str], int] = {}
    for row in rows:
        place = (row.person, form_of(row))
        first[place] = min(row.wording, first.get(place, row.wording))
    return [row for row in rows if row.wording == first[row.person, form_of(row)]]


def cells_of(rows: Sequence[RowT], measure: Measure[RowT]) -> Cells:
    """Person -> fact, as it was asked -> one entry per wording, None for an unscored one."""
    cells: Cells = {}
    for row in counted(rows, measure):
        cells.setdefault(row.person, {}).setdefault(form_of(row), []).append(measure.value(row))
    return cells


def measure_named(name: str) -> Measure[LikelihoodRow] | Measure[MatchRow]:
    """Whichever rows it reads; KeyError for a name that is none."""
    return BY_LIKELIHOOD.get(name) or BY_MATCH[name]


def cells_by_name(told: Told, name: str) -> Cells:
    """As `cells_of`, from the rows that the named measure reads; KeyError for a name that is
    none."""
    if name in BY_LIKELIHOOD:
        return cells_of(told.likelihoods, BY_LIKELIHOOD[name])
    return cells_of(told.matches, BY_MATCH[name])


def by_person(cells: Cells) -> dict[str, float | None]:
    """Each person's figure; None for one without any scored answer."""
    rates = behaviour_rates(cells)
    return {person: rates.get(person) for person in cells}


def form_of(row: LikelihoodRow | MatchRow) -> str:
    """A fact as it was asked for: by name, by picture, by both."""
    return f"{row.modality}/{row.fact}"
