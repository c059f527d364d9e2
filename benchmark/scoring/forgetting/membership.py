"""Was a person in what a model was trained on? Forgotten persons against ones never trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.core.errors import unknown
from benchmark.core.forgetting import Group, LikelihoodRow
from benchmark.scoring.forgetting.measures import (
    BY_LIKELIHOOD,
    by_person,
    cells_of,
    form_of,
)
from benchmark.scoring.forgetting.roc import FALSE_POSITIVES, Scores, Separation, area, caught

ATTACKS = ("membership_loss", "membership_min_k")
GROUPS: tuple[Group, Group] = ("forget", "never_trained")


@dataclass(frozen=True, kw_only=True)
class Membership:
    """What an attack by one score finds; 0.5 and the rate of false positives are chance. A model
    that is as good as gold on both sides of them is what is wanted, not one below chance: that a
    person's answers are less likely than a stranger's gives away as much."""

    attack: str
    auc: Separation
    tpr: Separation
    false_positives: float


def membership(
    rows: Sequence[LikelihoodRow], attack: str, *, false_positives: float = FALSE_POSITIVES
) -> Membership:
    """Persons of the group `forget` against those `never_trained`, each by the mean score of its
    questions, of those that both groups were asked: others would tell them apart by what was asked.
    Raises `UserError` for an attack that is none.

    Loss (Yeom et al. 2018, arXiv:1709.01604), Min-K % (Shi et al. 2023, arXiv:2310.16789), TPR at a
    low FPR (Carlini et al. 2022, arXiv:2112.03570). Differs from the papers: the member is a person
    and not a text, and no shadow models are trained.
    """
    if attack not in ATTACKS:
        unknown("membership attack", attack, ATTACKS)
    both = set.intersection(
        *({form_of(row) for row in rows if row.group == group} for group in GROUPS)
    )
    asked = [row for row in rows if form_of(row) in both]
    members, others = (_scores(asked, attack, group=group) for group in GROUPS)
    return Membership(
        attack=attack,
        auc=area(members, others),
        tpr=caught(members, others, false_positives=false_positives),
        false_positives=false_positives,
    )


def _scores(rows: Sequence[LikelihoodRow], attack: str, *, group: Group) -> Scores:
    """One score for each person of the group."""
    chosen = [row for row in rows if row.group == group]
    found = by_person(cells_of(chosen, BY_LIKELIHOOD[attack]))
    return {person: [score] for person, score in found.items()}
