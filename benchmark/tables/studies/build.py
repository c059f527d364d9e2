"""From a study's runs to all that its page says: a pure function of records and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmark.core.records import VerdictRow
from benchmark.core.rows import BASE, flat
from benchmark.scoring.compare import Difference, holm
from benchmark.scoring.contrast import Measure, Strata, averaged, contrast, rates
from benchmark.scoring.gates import Gate, failed_gates
from benchmark.scoring.plan import Plan
from benchmark.studies import Study, StudyRow
from benchmark.tables.board import Board, BoardRow
from benchmark.tables.runs import LoadedRun
from benchmark.tables.studies.collect import Collected
from benchmark.tables.studies.coverage import LeftOut, left_out_of


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A difference in one figure; `what` is a row, or a loss term. `p` is adjusted by Holm for its
    table; None with `found`, where one side lacks the figure."""

    what: str
    figure: str
    found: Difference | None
    p: float | None = None


@dataclass(frozen=True, kw_only=True)
class StudyBoard:
    """A study and what was found.

    `against` compares every row with `study.against`. `effects` is a term switched on with it
    switched off, over all settings of the others; `removals` the loss without that term with the
    whole loss. `failed` are gates, in words; `unlike` rows whose records say other settings than
    the study; `changed` how many of the canary's answers differ from the untouched model's.
    `stopped` says what rows ended with that were tried in vain, `left_out` what became of
    categories that a row was not trained on.
    """

    study: Study
    board: Board
    failed: Mapping[str, Mapping[Gate, Sequence[str]]]
    unlike: Mapping[str, str]
    against: Sequence[Contrast]
    effects: Sequence[Contrast]
    removals: Sequence[Contrast]
    changed: Mapping[str, tuple[int, int]]
    missing: Mapping[str, Sequence[int]]
    stopped: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[LeftOut] = ()

    @property
    def shown(self) -> list[tuple[StudyRow | None, BoardRow | None]]:
        """The untouched model first, then every declared row; None for one without figures."""
        pairs = [(None, BASE), *((row, row.name) for row in self.study.all_rows)]
        return [(row, self.figures(name)) for row, name in pairs]

    def figures(self, name: str) -> BoardRow | None:
        """A row that has figures."""
        found = self.board.row(name)
        return found if found is not None and found.scores else None


def build_study(study: Study, collected: Collected, *, board: Board, plan: Plan) -> StudyBoard:
    """All that the study's page shows. `board` is made of the same runs."""
    base = board.row(BASE)
    measures = _measures(study, plan)
    table = {
        name: {
            figure: rates(_rows(collected.runs, name), measure, plan=plan, void=board.void)
            for figure, measure in measures.items()
        }
        for name in (BASE, *(row.name for row in study.all_rows))
    }
    others = [row.name for row in study.all_rows if row.name != study.against]
    return StudyBoard(
        study=study,
        board=board,
        failed={
            row.name: failed_gates(row.scores, (board.base_of(row) or base).scores, plan=plan)
            for row in board.rows
            if base is not None and row.scores and row.place != "reference"
        },
        unlike=_unlike(study, collected.runs),
        against=_contrasts(table, {name: ([name], [study.against]) for name in others}),
        effects=_contrasts(table, _sides(study)),
        removals=_contrasts(table, _without(study)),
        changed={
            name: _changed(collected.runs, name) for name in dict.fromkeys(_names(collected.runs))
        },
        missing=collected.missing,
        stopped=collected.stopped,
        left_out=left_out_of(study, collected.runs, plan=plan, void=board.void)
        if "coverage" in study.views
        else (),
    )


def _measures(study: Study, plan: Plan) -> dict[str, Measure]:
    """The figures that rows of a study are compared in."""
    families = [family for family in plan.families if family not in study.out_of_scope]
    found: dict[str, Measure] = {}
    for family in families:
        found[f"{family}-borne attack success"] = Measure(metric="asr", forms=plan.families[family])
    for family in families:
        found[f"{family}-borne twins"] = Measure(metric="twin", forms=plan.families[family])
    found["over-refusal"] = Measure(metric="over_refusal")
    found["utility"] = Measure(metric="utility")
    found["coherence"] = Measure(metric="coherence")
    return found


def _contrasts(
    table: Mapping[str, Mapping[str, Strata]],
    sides: Mapping[str, tuple[Sequence[str], Sequence[str]]],
) -> list[Contrast]:
    """For each of `sides` the mean over its first rows minus the mean over its second."""
    found = [
        Contrast(what=what, figure=figure, found=_contrast(table, figure, mine, other))
        for what, (mine, other) in sides.items()
        for figure in table[BASE]
    ]
    adjusted = iter(holm([one.found.p for one in found if one.found]))
    return [replace(one, p=next(adjusted)) if one.found else one for one in found]


def _contrast(
    table: Mapping[str, Mapping[str, Strata]],
    figure: str,
    mine: Sequence[str],
    other: Sequence[str],
) -> Difference | None:
    """None unless every row of both sides has the figure: a missing row is not a zero."""
    if not all(table[name][figure] for name in (*mine, *other)):
        return None
    first, second = ([table[name][figure] for name in side] for side in (mine, other))
    return contrast(averaged(first), averaged(second))


def _sides(study: Study) -> dict[str, tuple[list[str], list[str]]]:
    """Per term the rows in which it is on, and those in which it is off."""
    return {
        term: (
            [row.name for row in study.all_rows if term not in row.off],
            [row.name for row in study.all_rows if term in row.off],
        )
        for term in study.switches
    }


def _without(study: Study) -> dict[str, tuple[list[str], list[str]]]:
    """Per term the row that lacks it alone, and the row that lacks nothing."""
    names = {row.off: row.name for row in study.all_rows}
    return {term: ([names[frozenset({term})]], [names[frozenset()]]) for term in study.switches}


def _unlike(study: Study, runs: Sequence[LoadedRun]) -> dict[str, str]:
    """What the study says of a row and its record does not: a default that is another one."""
    found = {}
    for run in runs:
        declared = study.row(run.record.spec.method)
        config = flat(run.record.spec.config)
        for key, value in flat(declared.settings if declared else {}).items():
            if config.get(key) != value:
                there = config.get(key, "no such setting")
                found[run.record.spec.method] = f"{key} is {there} in its record, not {value}"
    return found


def _changed(runs: Sequence[LoadedRun], name: str) -> tuple[int, int]:
    canaries = [run.record.canary for run in runs if run.record.spec.method == name]
    known = [canary for canary in canaries if canary is not None]
    return sum(canary.n_changed for canary in known), sum(canary.n for canary in known)


def _names(runs: Sequence[LoadedRun]) -> list[str]:
    return [run.record.spec.method for run in runs]


def _rows(runs: Sequence[LoadedRun], name: str) -> list[VerdictRow]:
    return [row for run in runs if run.record.spec.method == name for row in run.rows]
