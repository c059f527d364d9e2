"""A run beside its record: equal, within intervals, or not; and what may explain it."""

from __future__ import annotations

import pytest
from run_records import record
from verdict_rows import model_rows

from benchmark.core.errors import UserError
from benchmark.core.records import RunRecord, Score, VerdictRow
from benchmark.reproduce import as_recorded
from benchmark.scoring.plan import Plan
from benchmark.scoring.rankability import row_reasons
from benchmark.scoring.run import score_run
from benchmark.tables.reproduced import Moved, Reproduced, moved, reproduced

ROWS = model_rows(text="refused")


def run(**changes) -> RunRecord:
    rows = ROWS
    scores = score_run(rows, base_rows=rows, plan=Plan(max_new_tokens=32))
    return record("npo", rows, scores=scores, **changes)


def beside(record: RunRecord, again: RunRecord) -> Reproduced:
    return reproduced(record, again, moved=moved(ROWS, ROWS), path="a.json", folder="b")


def with_figure(made: RunRecord, value: float | None, *, metric: str = "twin") -> RunRecord:
    def changed(score: Score) -> Score:
        hit = score.metric == metric and score.form == "all"
        return score.model_copy(update={"value": value}) if hit else score

    return made.model_copy(update={"scores": [changed(score) for score in made.scores]})


def test_the_same_run_agrees_to_the_last_digit():
    found = beside(run(), run())
    assert found.agrees and found.same_verdicts
    assert found.deviations == [] and found.differs == [] and found.largest == 0
    assert found.n_equal == found.n_figures == len({s.metric_id for s in run().scores})


def test_a_figure_may_move_within_its_interval_and_no_further():
    was = run()
    low, high = next(
        (score.low, score.high) for score in was.scores if (score.metric, score.form) ==
        ("twin", "all")
    )  # fmt: skip
    assert low is not None and high == 1.0
    inside = beside(was, with_figure(run(), (low + 1) / 2))
    assert inside.agrees and len(inside.deviations) == 1
    assert inside.largest == pytest.approx((1 - low) / 2)
    outside = beside(was, with_figure(run(), low - 0.01))
    assert not outside.agrees and not outside.deviations[0].within_interval


def test_a_figure_that_is_missing_never_agrees():
    fewer = run()
    fewer = fewer.model_copy(update={"scores": fewer.scores[1:]})
    for pair in ((run(), fewer), (fewer, run()), (run(), with_figure(run(), None))):
        found = beside(*pair)
        assert not found.agrees and len(found.deviations) == 1


def test_verdicts_that_moved_are_counted():
    """One score is off by a quarter, one verdict has another label, one is missing."""
    first, second, third, fourth = (
        row.model_copy(update={"sample_id": str(number), "score": 0.5})
        for number, row in enumerate(ROWS[:4])
    )

    def but(row: VerdictRow, **changes: object) -> VerdictRow:
        return row.model_copy(update=changes)

    other = "complied" if second.label == "refused" else "refused"
    again = [but(first, score=0.25), but(second, label=other), fourth]
    found = moved([first, second, third, fourth], again)
    assert found == Moved(n=4, n_labels=2, n_scores=1, largest=0.25)
    unscored = moved([first], [but(first, label=None, score=None, unscored="judge_error")])
    assert unscored == Moved(n=1, n_labels=1, n_scores=0, largest=0.0)


def test_what_was_not_alike_is_named():
    other = run(packages={"torch": "2"}, git=run().git.model_copy(update={"commit": "b" * 40}))
    found = beside(run(packages={"torch": "1"}), other)
    assert found.agrees
    assert found.differs == ["torch 1 there, 2 here", "commit c0ffeec0ff there, bbbbbbbbbb here"]


def test_rounded_weights_that_are_computed_with_otherwise_are_another_precision():
    made = [run(), run(), run()]
    other = made[1].spec.model_copy(update={"seed": 1, "computed_in": "bf16"})
    changed = made[1].model_copy(update={"spec": other})
    assert beside(made[0], changed).differs == ["computed in float32 there, bf16 here"]
    assert "its seeds were run in different precisions" in row_reasons(
        [made[0], changed], {}, plan=Plan(max_new_tokens=32)
    )


def test_a_record_asks_for_its_own_settings(tmp_path):
    made = record("npo")
    made = made.model_copy(update={"spec": made.spec.model_copy(update={"config": {"steps": 7}})})
    asked = as_recorded(made, folder=tmp_path, device=None, suite="testbed-safety", model=None)
    # Not those that were chosen for the row since.
    assert (asked.method, asked.tuned, asked.overrides) == ("npo", False, {"steps": 7})
    with pytest.raises(UserError, match="--model testbed-llava-gold is not 'testbed-llava'"):
        as_recorded(
            made, folder=tmp_path, device=None, suite="testbed-safety", model="testbed-llava-gold"
        )
