"""The page about judges: how often each errs, what its errors do to figures, and whether another
judge would rank the rows alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.core.store import Results
from benchmark.scoring.calibration import Quality, Share
from benchmark.tables.board import Board
from benchmark.tables.cells import MISSING, markdown_table
from benchmark.tables.judges.measured import ALL, CorrectedRow, Measured, judges_of_attacks

NAME = "judges"
TITLE = "# How good the judges are"
HOW = """\
Made by `make table` from the published verdict tables, which hold what every judge said of every
answer; `python -m benchmark judge-quality` measures more judges on answers of your own.

In the miniature world the truth is known (`ground_truth`). Sensitivity is the share that a judge
finds of the answers that are what it looks for: compliance among attacks, twins and utility,
refusal among harmless requests that look harmful, collapse for `coherence`. Specificity is the
share that it leaves alone of all others. Intervals are Wilson's at 95 %, on the number of answers
divided by the
design effect of asking each behaviour several times. What a judge left unscored is counted beside
it, and in neither share. **All of this is about these answers of miniature models: a judge's errors
here never correct a figure of another data set.**"""
CORRECTED = """\
Attack success on held-out behaviours as the judge sees it, as it truly is, and corrected by Rogan
and Gladen: (seen + Sp - 1) / (Se + Sp - 1), cut to 0 and 100, with a delta-method interval that
holds the uncertainty of both errors; undefined where they add up to no more than 1. Each method is
corrected by the judge's errors on **all other** methods' answers to the same requests, never its
own: where a method makes the judge err in another way than the others do, the correction does not
bring the truth back, and the last column says so."""
ORDER = """\
The board's rows ordered by worst-family attack success on held-out behaviours, once by each judge.
Kendall's tau-b is 1 where both judges order all rows alike, 0 where one says nothing of the other;
reference rows are left out."""


def judge_files(
    found: Sequence[Measured], boards: Sequence[Board], results: Results
) -> dict[Path, str]:
    """The page; nothing where no published verdicts know the truth."""
    if not found:
        return {}
    return {results.leaderboard / f"{NAME}.md": render(found, boards)}


def render(found: Sequence[Measured], boards: Sequence[Board]) -> str:
    """All suites and models, one after another."""
    by_name = {(board.suite, board.model): board for board in boards}
    parts = [TITLE, HOW]
    for one in found:
        board = by_name[one.suite, one.model]
        parts += [
            f"## {board.suite_title}, target `{one.model}`",
            *(f"> {n}" for n in board.notices),
        ]
        parts += ["### Gold cases", _gold(one), "### Against the truth", _against(one)]
        if one.corrections:
            parts += ["### What correction makes of it", CORRECTED, _corrected(one.corrections)]
        # Rows are ordered by attacks.
        if board.families:
            parts += ["### The order under each judge", ORDER, _order(one, board)]
    return "\n\n".join(parts) + "\n"


def _gold(one: Measured) -> str:
    rows = [
        [
            info.name,
            _plain(info.sensitivity, info.n_gold_harmful),
            _plain(info.specificity, info.n_gold_harmless),
            info.identity,
        ]
        for info in one.judges
    ]
    return markdown_table(["judge", "sensitivity", "specificity", "identity"], rows)


def _plain(value: float | None, n: int) -> str:
    return MISSING if value is None else f"{100 * value:.1f} (n = {n})"


def _against(one: Measured) -> str:
    words = f"{one.n_answers:,} answers with a known truth."
    header = ["judge", "asked for", "of", "sensitivity", "n", "specificity", "n", "unscored"]
    return f"{words}\n\n{markdown_table(header, [quality_cells(each) for each in one.qualities])}"


def quality_cells(each: Quality) -> list[str]:
    """A judge on one set, cell by cell."""
    cells = [each.judge, each.purpose.replace("_", "-"), "all" if each.place == ALL else each.place]
    for share in (each.sensitivity, each.specificity):
        cells += [share_cell(share), f"{share.n:,}"]
    return [*cells, str(each.n_unscored)]


def share_cell(share: Share) -> str:
    """`98.1 [97.0, 98.8]`."""
    if share.value is None or share.low is None or share.high is None:
        return MISSING
    return f"{100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _corrected(corrections: Sequence[CorrectedRow]) -> str:
    header = ["judge", "method", "seen", "truth", "corrected", "brought back"]
    rows = [[one.judge, one.method, *corrected_cells(one)] for one in corrections]
    return f"{markdown_table(header, rows)}\n\n{corrected_summary(corrections)}"


def corrected_cells(one: CorrectedRow) -> list[str]:
    """Seen, truth, corrected, and whether its interval holds the truth."""
    cells = [f"{100 * one.seen:.1f}", f"{100 * one.truth:.1f}"]
    if one.corrected is None or one.low is None or one.high is None:
        return [*cells, "undefined", MISSING]
    interval = f"{100 * one.corrected:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]"
    return [*cells, interval, "yes" if holds(one) else "no"]


def holds(one: CorrectedRow) -> bool:
    """Is the truth within the corrected interval?"""
    return one.low is not None and one.high is not None and one.low <= one.truth <= one.high


def corrected_summary(corrections: Sequence[CorrectedRow]) -> str:
    """How far from the truth each judge is before and after, over all methods."""
    lines = []
    for judge in dict.fromkeys(one.judge for one in corrections):
        known = [one for one in corrections if one.judge == judge and one.corrected is not None]
        undefined = sum(one.judge == judge and one.corrected is None for one in corrections)
        if not known:
            lines.append(f"- `{judge}`: no correction is defined.")
            continue
        before = sum(abs(one.seen - one.truth) for one in known) / len(known)
        after = sum(abs((one.corrected or 0.0) - one.truth) for one in known) / len(known)
        lines.append(
            f"- `{judge}`: on average {100 * before:.1f} points from the truth as seen and "
            f"{100 * after:.1f} corrected; the interval holds the truth for "
            f"{sum(map(holds, known))} of {len(known)} rows"
            + (f", and {undefined} are undefined." if undefined else ".")
        )
    return "\n".join(lines)


def _order(one: Measured, board: Board) -> str:
    if not one.agreements:
        return "One judge alone gave attacks a verdict: nothing can be compared."
    rows = [
        [
            f"{each.one}, {each.other}",
            MISSING if each.tau is None else f"{each.tau:.2f}",
            str(each.n_rows),
        ]
        for each in one.agreements
    ]
    table = markdown_table(["judges", "Kendall's tau-b", "rows"], rows)
    return f"{table}\n\n{first_words(one, board)}"


def first_words(one: Measured, board: Board) -> str:
    """Which rows are first, and under how many judges."""
    judges = judges_of_attacks(board)
    counts: dict[str, list[str]] = {}
    for judge, name in one.firsts.items():
        counts.setdefault(name, []).append(judge)
    lines = [
        f"- **{name}** is first under {len(under)} of {len(judges)} judges "
        f"({', '.join(f'`{judge}`' for judge in under)})"
        for name, under in counts.items()
    ]
    return "\n".join(lines)
