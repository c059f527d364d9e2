"""From rows about persons to what a board shows of them: a pure function of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from benchmark.core.forgetting import Asked
from benchmark.core.forgetting import Group as Persons
from benchmark.core.rows import BASE
from benchmark.scoring.forgetting.distance import Distance
from benchmark.scoring.forgetting.figures import Figure, figure
from benchmark.scoring.forgetting.gold import (
    MIN_GOLDS,
    Gold,
    KsToGold,
    Spread,
    gold_against_gold,
    ks_to_gold,
)
from benchmark.scoring.forgetting.kept import Kept, kept
from benchmark.scoring.forgetting.leak import Leak, leak
from benchmark.scoring.forgetting.measures import Told
from benchmark.scoring.forgetting.membership import ATTACKS, membership
from benchmark.scoring.forgetting.telling import Telling, telling
from benchmark.scoring.intervals import next_value_interval
from benchmark.scoring.plan import Plan
from benchmark.scoring.rates import find
from benchmark.tables.board import row_title
from benchmark.tables.forgetting.board import (
    ALL,
    MODALITIES,
    SHOWN,
    DistanceShown,
    PersonsBoard,
    PersonsRow,
    Unscored,
)
from benchmark.tables.forgetting.held import held, of_each
from benchmark.tables.forgetting.told import (
    GOLD,
    Answered,
    answered,
    asked_alike,
    base_of,
    finished,
    gold_group,
    golds_named,
    golds_of,
    has_persons,
    only,
    with_golds_alike,
)
from benchmark.tables.forgetting.verdict import golds_in_range, silent, too_little, verdict
from benchmark.tables.groups import Group

GROUPS: tuple[Persons, ...] = ("forget", "retain", "never_trained")
KEPT = ("exact_match", "rouge_l")
LEAKED = "exact_match_paraphrased"


def persons_board(groups: Sequence[Group], *, plan: Plan) -> PersonsBoard | None:
    """What these runs know of persons; None where none was asked about any."""
    if not has_persons(groups):
        return None
    groups, left_out = with_golds_alike(groups, plan=plan)
    golds = golds_of(groups, BASE, limit=None)
    spread = _spread(golds)
    rows = [_row(group, groups, spread=spread, plan=plan) for group in groups if finished(group)]
    return PersonsBoard(
        gold_seeds=[gold.seed for gold in golds],
        left_out=left_out,
        n_golds_needed=MIN_GOLDS,
        spread=spread,
        gold_membership=_gold_membership(groups),
        rows=rows,
        telling=_telling(groups, golds),
    )


def _row(
    group: Group, groups: Sequence[Group], *, spread: Mapping[str, Spread], plan: Plan
) -> PersonsRow:
    """One row; a limited one is held against golds and the untouched model on what it was asked,
    and against how far golds are apart on just that."""
    said = answered(group, row_title(group.method, group.limit))
    golds = golds_of(groups, group.method, limit=group.limit)
    base = base_of(groups, group.method, limit=group.limit)
    base_told = answered(base, BASE).whole if base else None
    if group.limit is not None:
        golds = [replace(gold, told=asked_alike(gold.told, said.whole)) for gold in golds]
        base_told = asked_alike(base_told, said.whole) if base_told else None
    if group.limit is not None or golds_named(group.method)[0] != GOLD:
        spread = _spread(golds)
    forget = only(said.whole, group="forget")
    is_gold = group.method == GOLD
    unscored, gates = _unscored(forget), plan.gates
    found = PersonsRow(
        name=said.name,
        seeds=list(said.by_seed),
        word="not known",
        distances=_distances(said, golds, spread, is_gold=is_gold),
        to_gold=[] if is_gold else held(said, golds, missing=too_little(unscored, gates=gates)),
        figures=_figures(said.whole),
        membership=[membership(said.whole.likelihoods, attack) for attack in ATTACKS],
        kept=_kept(said.whole, base_told),
        leaks=_leaks(group, forget, base_told),
        unscored=unscored,
    )
    word, reasons = verdict(
        found,
        n_golds=len(golds),
        is_gold=is_gold,
        spread=spread.get(ALL),
        gates=gates,
    )
    return found.model_copy(
        update={
            "word": word,
            "reasons": [*reasons, *(golds_in_range(golds) if is_gold else [])],
            "silent": silent(unscored, gates=gates),
            "off": [one.metric for one in found.to_gold if one.as_gold is False],
            "gold_coherence": _gold_coherence(groups, group, plan),
        }
    )


def _spread(golds: Sequence[Gold]) -> dict[str, Spread]:
    return {
        modality: gold_against_gold(_asked_in(golds, modality))
        for modality in (ALL, *_modalities(gold.told for gold in golds))
    }


def _asked_in(golds: Sequence[Gold], modality: str) -> list[Gold]:
    if modality == ALL:
        return list(golds)
    return [replace(gold, told=only(gold.told, modality=modality)) for gold in golds]


def _modalities(models: Iterable[Told]) -> list[str]:
    asked = {row.modality for told in models for row in told.likelihoods}
    return [modality for modality in MODALITIES if modality in asked]


def _distances(
    said: Answered, golds: Sequence[Gold], spread: Mapping[str, Spread], *, is_gold: bool
) -> dict[str, DistanceShown]:
    found = {}
    for modality in spread:
        own = _asked_in(golds, modality)
        if is_gold:
            models = {gold.seed: gold.told for gold in own}
        else:
            asked = None if modality == ALL else modality
            models = {
                seed: only(told, group="forget", modality=asked)
                for seed, told in said.by_seed.items()
            }
        by_seed = {
            seed: ks_to_gold(told, own, spread=spread[modality]) for seed, told in models.items()
        }
        lost = [row for told in models.values() for row in told.likelihoods if row.unscored]
        found[modality] = _shown(by_seed, n_unscored=len(lost))
    return found


def _shown(by_seed: Mapping[int, KsToGold], *, n_unscored: int) -> DistanceShown:
    """D over seeds; None where a seed has none, for the mean of the others is not the row's."""
    every = [one for found in by_seed.values() for one in found.distances]
    values = {seed: one.value for seed, one in by_seed.items() if one.value is not None}
    whole = bool(values) and len(values) == len(by_seed)
    words = [one.as_gold for one in by_seed.values()]
    ps = [one.p for one in every if one.p is not None]
    bounded = any(one.bound_low is not None for one in every)
    return DistanceShown(
        value=fmean(values.values()) if whole else None,
        low=_mean([one.low for one in every]) if whole else None,
        high=_mean([one.high for one in every]) if whole else None,
        p=min(1.0, len(ps) * min(ps)) if whole else None,
        bound_low=_mean([_bound(one, one.bound_low) for one in every]) if bounded else None,
        bound_high=_mean([_bound(one, one.bound_high) for one in every]) if bounded else None,
        by_seed=values,
        as_gold=of_each(words),
        n_persons=min((one.n_persons for one in every), default=0),
        n_unscored=n_unscored,
    )


def _bound(one: Distance, end: float | None) -> float | None:
    return one.value if end is None else end


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _figures(told: Told) -> list[Figure]:
    """By group and modality; and all modalities together, where there are several."""
    found = []
    for group in GROUPS:
        here = only(told, group=group)
        asked = {row.modality for rows in (here.likelihoods, here.matches) for row in rows}
        for modality in (None, *(m for m in MODALITIES if m in asked and len(asked) > 1)):
            some = only(here, modality=modality)
            found += [one for name in SHOWN if (one := figure(some, name)).n_total]
    return found


def _kept(told: Told, base: Told | None) -> list[Kept]:
    if base is None:
        return []
    mine, theirs = (only(one, group="retain") for one in (told, base))
    return [kept(mine, theirs, name) for name in KEPT]


def _leaks(group: Group, forget: Told, base: Told | None) -> list[Leak]:
    """From the modality that a method was trained in, where it is one: from text into both with
    pictures, from pictures into text alone, for it learns from some with a name beside them."""
    trained = group.records[0].spec.config.get("modality")
    if base is None or trained not in ("text", "image"):
        return []
    source: Asked = "text" if trained == "text" else "image"
    into: list[Asked] = ["image", "image_text"] if source == "text" else ["text"]
    own = only(base, group="forget")
    return [leak(forget, own, LEAKED, trained=source, asked=asked) for asked in into]


def _unscored(forget: Told) -> list[Unscored]:
    return [
        Unscored(
            kind="likelihoods",
            n_total=len(forget.likelihoods),
            reasons=dict(Counter(row.unscored for row in forget.likelihoods if row.unscored)),
        ),
        Unscored(
            kind="answers",
            n_total=len(forget.matches),
            reasons=dict(Counter(row.unscored for row in forget.matches if row.unscored)),
        ),
    ]


def _gold_coherence(groups: Sequence[Group], of: Group, plan: Plan) -> float | None:
    """The mean share of harmless prompts that a row's golds answer coherently."""
    golds = gold_group(groups, of.method, limit=of.limit)
    scores = [
        find(run.record.scores, "coherence", judge=plan.coherence_judge)
        for run in (finished(golds) if golds else ())
    ]
    known = [score.value for score in scores if score is not None and score.value is not None]
    return fmean(known) if known else None


def _gold_membership(groups: Sequence[Group]) -> dict[str, tuple[float, float] | None]:
    golds = gold_group(groups, BASE, limit=None)
    runs = finished(golds) if golds else []
    found: dict[str, tuple[float, float] | None] = {}
    for attack in ATTACKS:
        areas = [membership(run.likelihoods, attack).auc.value for run in runs]
        known = [value for value in areas if value is not None]
        ends = next_value_interval(known) if len(known) >= MIN_GOLDS else None
        found[attack] = (max(ends[1], 0.0), min(ends[2], 1.0)) if ends else None
    return found


def _telling(groups: Sequence[Group], golds: Sequence[Gold]) -> list[Telling]:
    """The untouched model knows the persons to forget and golds do not."""
    base = base_of(groups, BASE, limit=None)
    if base is None or base.limit is not None or not golds:
        return []
    knowing = [only(one, group="forget") for one in answered(base, BASE).by_seed.values()]
    told = [gold.told for gold in golds]
    return telling(knowing, told, golds=told)
