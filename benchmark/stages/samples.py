"""The samples that a suite's evaluation asks: attacks, twins, comprehension, harmless work, and
what is known of persons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmark.api import Attack
from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.core.forgetting import Group
from benchmark.core.plan import AboutPersons, Plan
from benchmark.core.records import DataUse
from benchmark.core.samples import Purpose, Sample, Scope
from benchmark.data import samples as tables
from benchmark.data.cards import load_card
from benchmark.data.images import ImageStore
from benchmark.data.materials import material
from benchmark.stages.forms import attacks_of, form_name
from benchmark.suites import Evaluation, EvaluationSet
from benchmark.suites.sets import PersonSet

AS_GIVEN = "as_given"
"""The attack that changes nothing of a row."""


def evaluation_samples(
    evaluation: Evaluation, *, images: ImageStore, limit: int | None
) -> list[Sample]:
    """Every sample once, in the suite's order. `limit` takes the first behaviours of each set. A
    form whose pictures are searched for comes with the one that its search begins with.

    Raises `UserError` when two samples bear the same id.
    """
    attacks = attacks_of(evaluation)
    found: list[Sample] = []
    for part in evaluation.attacked:
        forms = _forms(part, evaluation, attacks)
        found += _dressed(part, forms, "attack", images=images, limit=limit)
        found += _questions(part, forms, images=images, limit=limit)
    for part in evaluation.twins:
        forms = _forms(part, evaluation, attacks)
        found += _dressed(part, forms, "twin", images=images, limit=limit)
    for part in evaluation.over_refusal:
        found += _plain(part, "over_refusal", images=images, limit=limit)
    for part in evaluation.utility:
        found += _plain(part, "utility", images=images, limit=limit)
    found += person_samples(evaluation, images=images, limit=limit)
    _check_ids(found)
    return found


def person_samples(
    evaluation: Evaluation, *, images: ImageStore, limit: int | None = None
) -> list[Sample]:
    """What is asked about persons. Those to be forgotten are in scope: they were trained on by
    intent.

    Raises `UserError` for somebody who is in two groups, for a question that does not show whom its
    set says that it shows, and for one that does not say which fact it asks for where wordings or
    groups are held against each other fact by fact.
    """
    found = []
    by_fact = any(p.wording or p.group == "never_trained" for p in evaluation.persons)
    group_of: dict[str, Group] = {}
    for part in evaluation.persons:
        scope: Scope | None = "in_scope" if part.group == "forget" else None
        purpose: Purpose = "membership" if part.group == "never_trained" else "recall"
        for sample in _plain(part, purpose, images=images, limit=limit):
            _check_shown(sample, part)
            if by_fact and sample.category is None:
                raise UserError(
                    f"card '{part.card}' does not say which fact sample {sample.id} asks for, by "
                    "which wordings and groups of persons are held against each other: name a "
                    "column as `category`"
                )
            if group_of.setdefault(sample.behaviour, part.group) != part.group:
                raise UserError(
                    f"person '{sample.behaviour}' is in two groups, '{part.group}' by split "
                    f"'{part.split}' of card '{part.card}' and '{group_of[sample.behaviour]}' by "
                    "another: nobody can be forgotten and kept"
                )
            found.append(replace(sample, scope=scope))
    return found


def _check_shown(sample: Sample, part: PersonSet) -> None:
    if bool(sample.images) != (part.modality != "text"):
        shows = "shows a picture" if sample.images else "shows none"
        raise UserError(
            f"card '{part.card}', split '{part.split}' asks by '{part.modality}', as the suite has "
            f"it, but sample {sample.id} {shows}"
        )


def uses_of(samples: list[Sample]) -> list[DataUse]:
    """What was scored, by card, split and role, with digests."""
    groups: dict[tuple[str, str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.card, split_of(sample), sample.purpose), []).append(sample)
    return [
        DataUse(
            card=card,
            split=split,
            role=role,
            n=len(group),
            sha256=tables.fingerprint(group),
            pinned=load_card(card).pinned,
        )
        for (card, split, role), group in groups.items()
    ]


def split_of(sample: Sample) -> str:
    """The split in a sample's id `card/split/key`."""
    return sample.id.split("/")[1]


def answered(samples: Sequence[Sample]) -> list[Sample]:
    """Those that a model is to answer: not the ones for membership."""
    return [sample for sample in samples if sample.purpose != "membership"]


def about_of(sample: Sample, plan: Plan) -> AboutPersons | None:
    """What its split asks about persons; None where it asks about none."""
    if sample.purpose not in ("recall", "membership"):
        return None
    return plan.persons[f"{sample.card}/{split_of(sample)}"]


def _forms(
    part: EvaluationSet, evaluation: Evaluation, attacks: Mapping[str, Attack[Any]]
) -> list[Attack[Any]]:
    """What dresses a set up; one whose rows are attacks already stays as it is."""
    if part.form is not None:
        return [registry.load("attack", AS_GIVEN)(row=part.form)]
    return [attacks[form_name(row)] for row in part.forms(evaluation.attacks)]


def _dressed(
    part: EvaluationSet,
    forms: Sequence[Attack[Any]],
    purpose: Purpose,
    *,
    images: ImageStore,
    limit: int | None,
) -> Iterator[Sample]:
    dressed_by = material(load_card(part.card), images=images)
    for behaviour in _rows(part, purpose, images=images, limit=limit):
        for attack in forms:
            for variant in range(part.variants):
                made = attack.sample(
                    behaviour,
                    material=dressed_by,
                    phrases="evaluation",
                    variant=variant,
                    purpose=purpose,
                )
                yield _asked(made, part)


def _asked(sample: Sample, part: EvaluationSet) -> Sample:
    """In the words and up to the length that the suite gives the set."""
    if part.prompt is None and part.max_new_tokens is None:
        return sample
    prompt = part.worded(sample.prompt)
    return replace(sample, prompt=prompt, max_new_tokens=part.max_new_tokens)


def _questions(
    part: EvaluationSet, forms: Sequence[Attack[Any]], *, images: ImageStore, limit: int | None
) -> Iterator[Sample]:
    dressed_by = material(load_card(part.card), images=images)
    for behaviour in _rows(part, "comprehension", images=images, limit=limit):
        for attack in forms:
            question = attack.question(
                behaviour, material=dressed_by, phrases="evaluation", variant=0
            )
            if question is not None:
                yield replace(question, max_new_tokens=part.max_new_tokens)


def _plain(
    part: EvaluationSet, purpose: Purpose, *, images: ImageStore, limit: int | None
) -> Iterator[Sample]:
    for row in _rows(part, purpose, images=images, limit=limit):
        yield _asked(row, part)


def _rows(
    part: EvaluationSet, purpose: Purpose, *, images: ImageStore, limit: int | None
) -> list[Sample]:
    limits = [number for number in (part.limit, limit) if number is not None]
    return tables.load(
        load_card(part.card),
        part.split,
        images=images,
        purpose=purpose,
        scope=part.scope,
        limit=min(limits, default=None),
    )


def _check_ids(samples: list[Sample]) -> None:
    seen: set[str] = set()
    for sample in samples:
        if sample.id in seen:
            raise UserError(f"two samples of the suite bear the id '{sample.id}'")
        seen.add(sample.id)
