"""What the published records of one model say that claims ask about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.claims import CostRatio, Difference, Gates, Paper, Untestable
from benchmark.core.paths import file_name
from benchmark.core.records import MethodInfo, Score
from benchmark.core.rows import BASE
from benchmark.core.store import Results
from benchmark.scoring.contrast import Measure, Strata, rates
from benchmark.scoring.gates import COLLAPSE, Gate, failed_gates
from benchmark.scoring.plan import Plan
from benchmark.scoring.rankability import ORACLE
from benchmark.tables.board import Board, BoardRow
from benchmark.tables.placing import UNMEASURED
from benchmark.tables.runs import read_run
from benchmark.tables.studies.build import StudyBoard

# These keep a row from being ranked, and not from being compared in what was measured.
NO_BAR = (ORACLE, UNMEASURED)

Asked = tuple[str, Measure]
"""A row and what is measured of it."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Rows with their figures by name, rates by behaviour for what claims ask, and what the
    records say of each method."""

    model: str
    board: Board
    plan: Plan
    rows: Mapping[str, BoardRow]
    rates: Mapping[Asked, Strata]
    methods: Mapping[str, Sequence[MethodInfo]]

    def lacking(self, names: Iterable[str]) -> str | None:
        """Why these rows cannot be weighed: not run, or what bars a run from any comparison."""
        for name in dict.fromkeys(names):
            row = self.rows.get(name)
            if row is None or not row.scores:
                return f"not run: {name}"
            allowed = {reason for gate in self._failed(row).values() for reason in gate}
            barred = [
                reason
                for reason in row.reasons
                if reason not in allowed and not reason.startswith(NO_BAR)
            ]
            if barred and row.place != "reference":
                return f"{name}: {barred[0]}"
        return None

    def collapse(self, name: str) -> list[str]:
        """In words why low attack success of this row would show no safety; empty if it works."""
        failed = self._failed(self.rows[name])
        return [words for gate, reasons in failed.items() if gate in COLLAPSE for words in reasons]

    @property
    def base_scores(self) -> Sequence[Score]:
        """The untouched model's."""
        return self.rows[BASE].scores if BASE in self.rows else ()

    def _failed(self, row: BoardRow) -> dict[Gate, list[str]]:
        if row.place == "reference":
            return {}
        return failed_gates(row.scores, self.base_scores, plan=self.plan)


def gather(
    papers: Sequence[Paper],
    results: Results,
    *,
    board: Board,
    plan: Plan,
    studies: Sequence[StudyBoard],
) -> Evidence:
    """Read what the claims ask of one model: rows of its board, else of studies on it."""
    rows, places = _rows_and_places(results, board, studies)
    asked = _asked(papers, plan)
    found: dict[Asked, Strata] = {}
    methods: dict[str, list[MethodInfo]] = {}
    for name in sorted(_names(papers) & rows.keys()):
        runs = [read_run(path, source="published") for path in places[name]]
        methods[name] = [run.record.method for run in runs]
        verdicts = [verdict for run in runs for verdict in run.rows]
        for measure in (measure for asked_of, measure in asked if asked_of == name):
            found[name, measure] = rates(verdicts, measure, plan=plan, void=board.void)
    return Evidence(
        model=board.model, board=board, plan=plan, rows=rows, rates=found, methods=methods
    )


def measure_of(test: Difference, plan: Plan, *, forms: tuple[str, ...] = ()) -> Measure:
    """What a difference compares; `forms` in place of the test's own."""
    own = forms or test.forms or (plan.families.get(test.family, ()) if test.family else ())
    return Measure(metric=test.metric, forms=tuple(own), scope=test.scope, card=test.card)


def gate_measures(plan: Plan) -> dict[str, Measure]:
    """What the gates of coherence, over-refusal and twins are measured in."""
    twins = {
        f"{family}-borne twins": Measure(metric="twin", forms=tuple(forms))
        for family, forms in plan.families.items()
    }
    return {
        "coherence": Measure(metric="coherence"),
        "over-refusal": Measure(metric="over_refusal"),
        **twins,
    }


def _asked(papers: Sequence[Paper], plan: Plan) -> set[Asked]:
    asked: set[Asked] = set()
    for test in (claim.test for paper in papers for claim in paper.claims):
        if isinstance(test, Difference):
            asked.add((test.row, measure_of(test, plan)))
            asked.add((test.minus, measure_of(test, plan, forms=test.minus_forms)))
        elif isinstance(test, Gates):
            asked |= {
                (row, one) for row in (test.row, BASE) for one in gate_measures(plan).values()
            }
    return asked


def _names(papers: Sequence[Paper]) -> set[str]:
    """Every row that a claim is about."""
    tests = [claim.test for paper in papers for claim in paper.claims]
    names = {BASE}
    for test in tests:
        if isinstance(test, Difference):
            names |= {test.row, test.minus}
        elif isinstance(test, CostRatio):
            names |= {test.row, test.to}
        elif not isinstance(test, Untestable):
            names.add(test.row)
    return names


def _rows_and_places(
    results: Results, board: Board, studies: Sequence[StudyBoard]
) -> tuple[dict[str, BoardRow], dict[str, list[Path]]]:
    """Rows of the main board, else of a study, with where their records lie."""
    rows: dict[str, BoardRow] = {}
    places: dict[str, list[Path]] = {}
    for study in studies:
        for row in study.board.rows:
            rows.setdefault(row.name, row)
            own = results.study_records(study.study.name, board.model) / file_name(row.name)
            places.setdefault(row.name, [own / f"{seed}.json" for seed in sorted(set(row.seeds))])
    for row in board.rows:
        rows[row.name] = row
        places[row.name] = [
            results.published(suite=board.suite, model=board.model, method=row.method, seed=seed)
            for seed in sorted(set(row.seeds))
        ]
    return rows, places
