"""What `judge --judge` and `judge-quality` print in the terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from benchmark.core.found import Rejudged
    from benchmark.core.records import JudgeInfo
    from benchmark.stages.judge import JudgedBy
    from benchmark.tables.judges.measured import Measured
    from benchmark.tables.runs import LoadedRun


def facts_of(run: LoadedRun, judged: JudgedBy) -> Rejudged:
    """What one judge found in a run, in a few figures."""
    from benchmark.core.found import Rejudged
    from benchmark.scoring.attacked import WORST, attack_scores
    from benchmark.scoring.missing import with_missing
    from benchmark.scoring.plan import HELD_OUT
    from benchmark.scoring.rates import find

    spec, facts = run.record.spec, run.record.suite
    assert facts is not None, "it is finished"
    plan, name = facts.plan, judged.info.name
    reasons = Counter(str(row.unscored) for row in judged.rows if row.unscored)
    # What is void is so by the judge that ranks, whoever judges the attacks; and over sets that are
    # not here no judge has a figure.
    void = {
        score.form: score.void
        for score in run.record.scores
        if score.metric == "asr" and score.judge == plan.judge_for("asr") and score.void
    }
    scores = with_missing(
        attack_scores(judged.rows, judge=name, plan=plan, void=void), run.record.missing, plan=plan
    )
    values = [
        found.value if found else None
        for found in (
            find(scores, "asr", judge=name, form=WORST, scope=HELD_OUT),
            find(run.record.scores, "asr", judge=plan.judge_for("asr"), form=WORST, scope=HELD_OUT),
        )
    ]
    return Rejudged(
        judge=name, identity=judged.info.identity, method=spec.method, model=spec.model,
        suite=spec.suite, seed=spec.seed, limit=spec.limit, n_total=len(judged.rows),
        n_unscored=sum(reasons.values()), unscored_reasons=dict(reasons), asr=values[0],
        asr_ranked=values[1],
    )  # fmt: skip


def rejudged_table(console: Console, found: list[Rejudged]) -> None:
    """A line for each run and judge."""
    table = _under(console, "Attack success on held-out behaviours, worst family, per cent")
    for name in ("method", "model", "seed", "judge", "answers", "unscored", "success", "ranked by"):
        table.add_column(
            name,
            justify="left" if name in ("method", "model", "judge") else "right",
            overflow="fold",
        )
    for one in found:
        reasons = ", ".join(f"{n} {why}" for why, n in sorted(one.unscored_reasons.items()))
        table.add_row(
            one.method, one.model, str(one.seed), one.judge, str(one.n_total),
            reasons or "0", _percent(one.asr), _percent(one.asr_ranked),
        )  # fmt: skip
    console.print(table)


def quality_table(console: Console, found: list[Measured]) -> None:
    """For each model: gold cases, errors by the truth, corrected rates, and the order."""
    said: list[JudgeInfo] | None = None
    for one in found:
        if one.n_answers or one.judges != said:
            _gold_table(console, one)
        said = one.judges
        if one.n_answers:
            _truth_table(console, one)
        if one.corrections:
            _corrected_table(console, one)
        for agreement in one.agreements:
            tau = "undefined" if agreement.tau is None else f"{agreement.tau:.2f}"
            console.print(
                f"order of {agreement.n_rows} rows under {agreement.one} and {agreement.other}: "
                f"Kendall's tau-b {tau}"
            )


def _gold_table(console: Console, one: Measured) -> None:
    table = _under(console, f"{one.suite} on {one.model}: gold cases, per cent")
    for name in ("judge", "sensitivity", "n", "specificity", "n"):
        table.add_column(name, justify="left" if name == "judge" else "right")
    for info in one.judges:
        table.add_row(
            info.name, _percent(info.sensitivity), str(info.n_gold_harmful),
            _percent(info.specificity), str(info.n_gold_harmless),
        )  # fmt: skip
    console.print(table)


def _truth_table(console: Console, one: Measured) -> None:
    from benchmark.tables.judges.page import quality_cells

    title = f"against the truth on {one.n_answers:,} answers, per cent with intervals"
    table = _under(console, title)
    words = ("judge", "asked for", "of")
    for name in (*words, "sensitivity", "n", "specificity", "n", "unscored"):
        table.add_column(name, justify="left" if name in words else "right", overflow="fold")
    for each in one.qualities:
        table.add_row(*quality_cells(each))
    console.print(table)


def _corrected_table(console: Console, one: Measured) -> None:
    from benchmark.tables.judges.page import corrected_cells, corrected_summary

    title = "attack success on held-out behaviours, corrected for the judge's errors"
    table = _under(console, title)
    words = ("judge", "method")
    for name in (*words, "seen", "truth", "corrected", "brought back"):
        table.add_column(name, justify="left" if name in words else "right", overflow="fold")
    for row in one.corrections:
        table.add_row(row.judge, row.method, *corrected_cells(row))
    console.print(table)
    console.print(corrected_summary(one.corrections))


def _under(console: Console, title: str) -> Table:
    """A table below a title of its own, which does not wrap where the table is narrow."""
    from rich.table import Table

    console.print(title, style="italic")
    return Table(padding=(0, 1, 0, 0), box=None, pad_edge=False)


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f}"
