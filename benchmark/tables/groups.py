"""The runs of a board by the row that they make, each beside the base model's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from benchmark.core.records import RunRecord, Score, VerdictRow
from benchmark.core.rows import bases_of
from benchmark.scoring.plan import Plan
from benchmark.scoring.run import score_run
from benchmark.tables.runs import LoadedRun


@dataclass(frozen=True, kw_only=True)
class Group:
    """The runs that make one row: one method, asked one part of the suite.

    `rows` are the verdicts of its finished runs, `base_rows` the base model's on the same samples
    and `base_scores` what they amount to.
    """

    runs: Sequence[LoadedRun]
    rows: Sequence[VerdictRow] = field(repr=False)
    base_rows: Sequence[VerdictRow] = field(repr=False)
    base_scores: Sequence[Score] = field(repr=False)
    base: RunRecord | None

    @property
    def records(self) -> list[RunRecord]:
        """All its records, by seed."""
        return [run.record for run in self.runs]

    @property
    def done(self) -> list[RunRecord]:
        """The records of the runs that finished."""
        return [record for record in self.records if record.status == "done"]

    @property
    def method(self) -> str:
        """The name that its runs share."""
        return self.records[0].spec.method

    @property
    def limit(self) -> int | None:
        """The limit that its runs share."""
        return self.records[0].spec.limit


def grouped(runs: Sequence[LoadedRun], *, plan: Plan) -> list[Group]:
    """One group per method and limit, in the order met; a limited run is never mixed with whole
    ones, and is compared with the base model on the samples that it was asked itself."""
    together: dict[tuple[str, int | None], list[LoadedRun]] = {}
    for run in sorted(runs, key=lambda run: run.record.spec.seed):
        together.setdefault((run.record.spec.method, run.record.spec.limit), []).append(run)
    groups: list[Group] = []
    for (name, limit), members in together.items():
        group = _group(members, _base_for(name, limit, together))
        same = [other for other in groups if other.base_rows == group.base_rows]
        scores = (
            same[0].base_scores
            if same
            else score_run(
                group.base_rows,
                base_rows=group.base_rows,
                plan=plan,
                missing=group.base.missing if group.base else (),
            )
        )
        groups.append(replace(group, base_scores=scores))
    return groups


def _group(members: Sequence[LoadedRun], base: Sequence[LoadedRun]) -> Group:
    rows = [row for run in members for row in run.rows]
    asked = {row.sample_id for row in rows}
    return Group(
        runs=members,
        rows=rows,
        base_rows=[row for run in base for row in run.rows if row.sample_id in asked],
        base_scores=(),
        base=base[0].record if base else None,
    )


def _base_for(
    row: str, limit: int | None, together: Mapping[tuple[str, int | None], Sequence[LoadedRun]]
) -> list[LoadedRun]:
    """The base model's finished runs under the row's preset, else under none; with the same limit,
    else its whole ones."""
    for wanted in product(bases_of(row), (limit, None)):
        runs = [run for run in together.get(wanted, ()) if run.record.status == "done"]
        if runs:
            return runs
    return []
