"""Which of a suite's sets are not here, said before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmark.core.errors import DataMissing
from benchmark.core.records import MissingData
from benchmark.core.roles import PoolModality, PoolRole
from benchmark.data.cards import load_card
from benchmark.data.presence import presence
from benchmark.suites import Evaluation, EvaluationSet, PoolName, PoolPart, Suite

N_NAMED = 3
KEEP: PoolRole = "keep"


def missing_of(evaluation: Evaluation) -> list[MissingData]:
    """Sets of an evaluation that are not here, by what they would be asked for."""
    roles = {
        "attack": evaluation.attacked, "twin": evaluation.twins,
        "over_refusal": evaluation.over_refusal, "utility": evaluation.utility,
        "recall": evaluation.persons,
    }  # fmt: skip
    found = []
    for role, parts in roles.items():
        for part in parts:
            if (why := _why(part)) is not None:
                forms = list(part.forms(evaluation.attacks)) if role in ("attack", "twin") else []
                one = MissingData(
                    card=part.card, split=part.split, role=role, why=why, scope=part.scope,
                    forms=forms,
                )  # fmt: skip
                found.append(one)
    return found


def missing_of_pool(
    suite: Suite, name: PoolName, role: PoolRole, modality: PoolModality
) -> list[MissingData]:
    """Sets of a pool that are not here. Raises `DataMissing` where none of them is."""
    parts = pool_parts(suite, name, role, modality)
    reasons = {(part.card, part.split): _why(part) for _, part in parts}
    found = [
        MissingData(card=card, split=split, role=role, why=why)
        for (card, split), why in reasons.items()
        if why is not None
    ]
    if parts and len(found) == len(reasons):
        kind = "training" if name == "train" else name
        raise DataMissing(
            f"nothing of the {kind} pool '{role}' of suite '{suite.name}' is here "
            f"({named(found)}); {_doctor(suite)}"
        )
    return found


def pool_parts(
    suite: Suite, name: PoolName, role: PoolRole, modality: PoolModality
) -> list[tuple[str, PoolPart]]:
    """Parts of a pool with what they make a model take in."""
    parts = suite.pools.get(name, {}).get(role)
    kinds = ("text", "image") if modality == "both" else (modality,)
    return [(kind, part) for kind in kinds for part in (getattr(parts, kind) if parts else ())]


def is_here(part: EvaluationSet | PoolPart) -> bool:
    """Can its split be loaded?"""
    return _why(part) is None


def without(evaluation: Evaluation, missing: Iterable[MissingData]) -> Evaluation:
    """What is left to ask. Raises `DataMissing` where nothing is."""
    gone = {(one.card, one.split) for one in missing}
    if not gone:
        return evaluation
    left = {
        name: tuple(p for p in getattr(evaluation, name) if (p.card, p.split) not in gone)
        for name in ("attacked", "twins", "over_refusal", "utility", "persons")
    }
    if not any(left.values()):
        raise DataMissing("none of the sets that are asked is here")
    return evaluation.model_copy(update=left)


def check_there(suite: Suite, missing: Sequence[MissingData]) -> None:
    """Raise the one line for sets that are not here."""
    if missing:
        names = {one.name for one in missing}
        raise DataMissing(
            f"{len(names)} set{'s' if len(names) > 1 else ''} of suite '{suite.name}' "
            f"{'are' if len(names) > 1 else 'is'} not here ({named(missing)}): {_doctor(suite)}, "
            "and --allow-missing (ALLOW_MISSING=1) runs without them, unranked"
        )


def named(missing: Sequence[MissingData]) -> str:
    """The first few, and how many more."""
    names = list(dict.fromkeys(one.name for one in missing))
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    return ", ".join(names[:N_NAMED]) + more


def _why(part: EvaluationSet | PoolPart) -> str | None:
    found = presence(load_card(part.card), [part.split])
    return None if found.is_here else found.found


def _doctor(suite: Suite) -> str:
    return f"`python -m benchmark doctor --suite {suite.name}` says how to get them"
