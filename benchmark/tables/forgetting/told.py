"""What the runs of a board say of persons: by row, by seed, and of the golds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmark.core.forgetting import Group as Persons
from benchmark.core.rows import BASE, bases_of
from benchmark.scoring.forgetting.gold import Gold
from benchmark.scoring.forgetting.measures import RowT, Told
from benchmark.scoring.plan import Plan
from benchmark.scoring.rankability import comparable_reasons
from benchmark.tables.groups import Group
from benchmark.tables.runs import LoadedRun

GOLD = "gold"
"""The row whose runs, one per seed, are golds."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One row: all it said, and what its finished runs said, by seed."""

    name: str
    whole: Told
    by_seed: dict[int, Told]


def has_persons(groups: Sequence[Group]) -> bool:
    """Has any finished run been asked about persons?"""
    return any(run.likelihoods or run.matches for group in groups for run in finished(group))


def finished(group: Group) -> list[LoadedRun]:
    """The runs of a row that say anything."""
    return [run for run in group.runs if run.record.status == "done"]


def answered(group: Group, name: str) -> Answered:
    """What a row said. Seeds are together where a person's figure is over them too."""
    runs = finished(group)
    return Answered(
        name=name,
        whole=Told(
            name=name,
            likelihoods=[row for run in runs for row in run.likelihoods],
            matches=[row for run in runs for row in run.matches],
        ),
        by_seed={
            run.record.spec.seed: Told(
                name=f"{name} seed {run.record.spec.seed}",
                likelihoods=run.likelihoods,
                matches=run.matches,
            )
            for run in runs
        },
    )


def golds_of(groups: Sequence[Group], row: str, *, limit: int | None) -> list[Gold]:
    """The golds that a row is held against."""
    found = gold_group(groups, row, limit=limit)
    if found is None:
        return []
    return [
        Gold(
            seed=run.record.spec.seed,
            told=Told(
                name=f"{GOLD} seed {run.record.spec.seed}",
                likelihoods=about(run.likelihoods, "forget"),
                matches=about(run.matches, "forget"),
            ),
        )
        for run in finished(found)
    ]


def with_golds_alike(groups: Sequence[Group], *, plan: Plan) -> tuple[list[Group], list[str]]:
    """All groups, the golds among them without those that were not asked and judged as the
    untouched model was: nothing can be held against these; and why each was left out."""
    named = {name for group in groups for name in golds_named(group.method)}
    kept, left_out = [], []
    for group in groups:
        if group.method not in named or group.base is None:
            kept.append(group)
            continue
        reasons = {
            run.record.spec.seed: comparable_reasons(
                run.record, group.base, plan=plan, same_weights=False
            )
            for run in finished(group)
        }
        left_out += [f"{group.method}, seed {n}: {'; '.join(w)}" for n, w in reasons.items() if w]
        runs = [run for run in group.runs if not reasons.get(run.record.spec.seed)]
        kept += [replace(group, runs=runs)] if runs else []
    return kept, left_out


def gold_group(groups: Sequence[Group], row: str, *, limit: int | None) -> Group | None:
    """The runs of a row's golds: under its preset, else none; under the same limit, else whole."""
    return _first(groups, golds_named(row), limit)


def golds_named(row: str) -> list[str]:
    """What golds of a row's own kind are called, the nearest first."""
    return [name.replace(BASE, GOLD, 1) for name in bases_of(row)]


def base_of(groups: Sequence[Group], row: str, *, limit: int | None) -> Group | None:
    """The untouched model's row that a row is compared with."""
    return _first(groups, bases_of(row), limit)


def _first(groups: Sequence[Group], names: Sequence[str], limit: int | None) -> Group | None:
    for name in names:
        for wanted in (limit, None):
            for group in groups:
                if (group.method, group.limit) == (name, wanted) and group.done:
                    return group
    return None


def only(told: Told, *, group: Persons | None = None, modality: str | None = None) -> Told:
    """The same model on the persons of one group, asked about in one modality; None is all."""
    return Told(
        name=told.name,
        likelihoods=about(told.likelihoods, group, modality),
        matches=about(told.matches, group, modality),
    )


def about(rows: Sequence[RowT], group: Persons | None, modality: str | None = None) -> list[RowT]:
    """Rows about one group of persons, asked about in one modality; None is all."""
    return [
        row
        for row in rows
        if (group is None or row.group == group) and (modality is None or row.modality == modality)
    ]


def asked_alike(told: Told, like: Told) -> Told:
    """A model on the questions that another was asked: a limited run is held against no more."""
    likelihoods = {row.sample_id for row in like.likelihoods}
    matches = {row.sample_id for row in like.matches}
    return Told(
        name=told.name,
        likelihoods=[row for row in told.likelihoods if row.sample_id in likelihoods],
        matches=[row for row in told.matches if row.sample_id in matches],
    )
