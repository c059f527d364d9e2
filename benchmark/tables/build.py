"""From runs to a board: a pure function of records and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.core.records import JudgeInfo, Score, VerdictRow
from benchmark.core.rows import BASE
from benchmark.core.samples import Scope
from benchmark.scoring.attacked import SCOPES, family_name, forms_of, void_forms
from benchmark.scoring.compare import difference, holm, success_by_behaviour
from benchmark.scoring.gates import gate_reasons, gate_reasons_of_persons
from benchmark.scoring.plan import HELD_OUT, Plan
from benchmark.scoring.rankability import comparable_reasons, row_reasons, what_happened
from benchmark.scoring.run import score_run
from benchmark.scoring.seeds import seed_spread
from benchmark.tables.adversarial.best import BestAttacks, attacks_of_row, best_attacks
from benchmark.tables.adversarial.curves import budget_points
from benchmark.tables.board import BOARD_VERSION, Board, BoardRow, Comparison, row_title
from benchmark.tables.costs import row_cost, with_ratios
from benchmark.tables.forgetting.board import PersonsBoard
from benchmark.tables.forgetting.build import persons_board
from benchmark.tables.forgetting.placing import placed_by_distance
from benchmark.tables.groups import Group, grouped
from benchmark.tables.placing import placed
from benchmark.tables.runs import LoadedRun

COUNTED_METRICS = ("asr", "over_refusal", "utility", "utility_retained", "coherence", "twin")


@dataclass(frozen=True, kw_only=True)
class BoardOf:
    """Which board it is to be, and what its readers must be told."""

    suite: str
    suite_title: str
    model: str
    notices: Sequence[str]
    plan: Plan


def build_board(runs: Sequence[LoadedRun], of: BoardOf, *, warnings: Sequence[str] = ()) -> Board:
    """The board that these runs make. `warnings` are lines about what could not be read."""
    groups = grouped(runs, plan=of.plan)
    persons = persons_board(groups, plan=of.plan)
    rows = [_row(group, plan=of.plan, persons=persons) for group in groups]
    costs = with_ratios({row.name: row.cost for row in rows})
    rows = [row.model_copy(update={"cost": costs[row.name]}) for row in rows]
    bases = [group for group in groups if group.method == BASE and group.done]
    whole_first = sorted(bases, key=lambda group: group.limit is not None)
    void = void_forms(whole_first[0].rows, of.plan) if whole_first else {}
    successes = {
        row.name: _worst_successes(group, row, of.plan, void)
        for row, group in zip(rows, groups, strict=True)
    }
    return Board(
        version=BOARD_VERSION,
        suite=of.suite,
        suite_title=of.suite_title,
        model=of.model,
        notices=list(of.notices),
        ranking_judge=of.plan.ranking_judge,
        ranking_judges=dict(of.plan.ranking_judges),
        coherence_judge=of.plan.coherence_judge,
        max_new_tokens=of.plan.max_new_tokens,
        families={name: list(forms) for name, forms in of.plan.families.items()},
        forms=_forms(groups, of.plan),
        apart=sorted(of.plan.apart),
        by_set=of.plan.by_set,
        n_seeds_needed=of.plan.gates.n_seeds,
        rows=placed_by_distance(rows, persons)
        if persons
        else placed(rows, successes=successes, judge_for=of.plan.judge_for),
        comparisons=comparisons(groups, plan=of.plan, void=void),
        judges=_judges(runs),
        void=void,
        warnings=list(warnings),
        best=[found for group in groups if (found := _best(group, of.plan, void)) is not None],
        persons=persons,
    )


def comparisons(
    groups: Sequence[Group], *, plan: Plan, void: Mapping[str, str]
) -> list[Comparison]:
    """Every method that is no reference row against the base model, per scope and family."""
    found = [
        comparison
        for group in groups
        if group.done and group.base and not group.records[0].method.reference_row
        for scope in SCOPES
        for family in plan.families
        if (comparison := _compared(group, scope, family, plan=plan, void=void))
    ]
    adjusted = holm([comparison.p for comparison in found])
    return [
        comparison.model_copy(update={"p_holm": p})
        for comparison, p in zip(found, adjusted, strict=True)
    ]


def _compared(
    group: Group, scope: Scope | None, family: str, *, plan: Plan, void: Mapping[str, str]
) -> Comparison | None:
    """One comparison before adjustment; None where nothing of it was asked or all of it is void."""
    forms = [form for form in plan.families[family] if form not in void]
    pair = difference(
        _successes(group.rows, plan=plan, forms=forms, scope=scope),
        _successes(group.base_rows, plan=plan, forms=forms, scope=scope),
    )
    if pair is None:
        return None
    return Comparison(
        method=group.method, limit=group.limit, form=family_name(family), scope=scope,
        difference=pair.value, low=pair.low, high=pair.high, p=pair.p, p_holm=pair.p,
        n_behaviours=pair.n_behaviours,
    )  # fmt: skip


def _row(group: Group, *, plan: Plan, persons: PersonsBoard | None) -> BoardRow:
    first = group.records[0]
    judges = first.judges
    scores = (
        score_run(
            group.rows,
            base_rows=group.base_rows,
            plan=plan,
            judges=judges,
            missing=[one for record in group.done for one in record.missing],
        )
        if group.done
        else []
    )
    reference = first.method.reference_row
    reasons = [] if reference else _reasons(group, scores, plan=plan, persons=persons)
    per_seed = [record.scores for record in group.done]
    return BoardRow(
        method=group.method,
        summary=first.method.summary,
        origin=first.method.origin,
        source=group.runs[0].source,
        limit=group.limit,
        place="reference" if reference else "below" if reasons else "ranked",
        reasons=reasons or [what_happened(one) for one in group.records if not group.done],
        seeds=[record.spec.seed for record in group.records],
        run_ids=[record.run_id for record in group.records],
        commits=list(dict.fromkeys(record.git.commit or "unknown" for record in group.records)),
        settings=first.spec.config,
        scores=scores,
        spread=_telling(seed_spread(per_seed), scores) if len(per_seed) > 1 else {},
        cost=row_cost(group.done),
        attacks=attacks_of_row(group.done),
        budget=budget_points(
            (one.form for record in group.done for one in record.attacks), group.rows, plan=plan
        ),
    )


def _best(group: Group, plan: Plan, void: Mapping[str, str]) -> BestAttacks | None:
    return best_attacks(group.done, group.rows, plan=plan, void=void) if group.done else None


def _reasons(
    group: Group, scores: Sequence[Score], *, plan: Plan, persons: PersonsBoard | None
) -> list[str]:
    """All that keeps a row from being ranked, each in words."""
    rows_by_run = {run.record.run_id: run.rows for run in group.runs}
    reasons = row_reasons(group.records, rows_by_run, plan=plan)
    if not group.done:
        return reasons
    for record in group.done:
        reasons += [
            one for one in comparable_reasons(record, group.base, plan=plan) if one not in reasons
        ]
    if group.base is None:
        return reasons
    if persons is not None:
        row = persons.row(row_title(group.method, group.limit))
        kept = row.recall_kept if row else None
        gates = gate_reasons_of_persons(
            scores,
            group.base_scores,
            kept,
            plan=plan,
            gold_coherence=row.gold_coherence if row else None,
        )
        return [*reasons, *gates]
    return [*reasons, *gate_reasons(scores, group.base_scores, plan=plan)]


def _telling(spread: dict, scores: Sequence[Score]) -> dict:
    """The spread of the figures that boards show; the others stay in the records."""
    shown = {score.metric_id for score in scores if score.metric in COUNTED_METRICS}
    return {metric_id: found for metric_id, found in spread.items() if metric_id in shown}


def _worst_successes(
    group: Group, row: BoardRow, plan: Plan, void: Mapping[str, str]
) -> dict[str, float]:
    """Success per held-out behaviour in the family that is this row's worst."""
    found = {
        name: row.score("asr", judge=plan.judge_for("asr"), form=family_name(name), scope=HELD_OUT)
        for name in plan.families
    }
    values = {name: s.value for name, s in found.items() if s and s.value is not None}
    if not values:
        return {}
    worst = max(values, key=lambda name: values[name])
    forms = [form for form in plan.families[worst] if form not in void]
    return _successes(group.rows, plan=plan, forms=forms, scope=HELD_OUT)


def _successes(
    rows: Sequence[VerdictRow], *, plan: Plan, forms: Sequence[str], scope: Scope | None
) -> dict[str, float]:
    return success_by_behaviour(rows, judge=plan.judge_of("attack"), forms=forms, scope=scope)


def _forms(groups: Sequence[Group], plan: Plan) -> list[str]:
    """All attack forms asked: diagnoses between the families, in the plan's order."""
    asked = forms_of(row for group in groups for row in group.rows if row.purpose == "attack")
    gone = [f for group in groups for one in group.done for set_ in one.missing for f in set_.forms]
    asked = list(dict.fromkeys([*asked, *gone]))
    text = [form for form in plan.families.get("text", ()) if form in asked]
    others = [form for name, f in plan.families.items() if name != "text" for form in f]
    image = [form for form in others if form in asked]
    return [*text, *(form for form in asked if form not in text + image), *image]


def _judges(runs: Sequence[LoadedRun]) -> list[JudgeInfo]:
    """Every judge that took part, once per identity."""
    found: dict[str, JudgeInfo] = {}
    for run in runs:
        for info in run.record.judges:
            found.setdefault(info.identity, info)
    return list(found.values())
