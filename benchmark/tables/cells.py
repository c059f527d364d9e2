"""How figures are written in a table's cell. Missing is never zero."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from benchmark.core.plan import ADAPTIVE
from benchmark.core.records import Score

MISSING = "n/a"
VOID = "void"
NOT_SEARCHED = "no adaptive attack"
"""Where no gradient leads from a row's answers to a picture: neither a blank nor a zero."""
GONE = "missing"
"""The data set was not there."""
UNIT_NAMES = {"cpu-core": "CPU-core", "gpu": "GPU"}


def percent(score: Score | None) -> str:
    """The value in per cent: `12.5`, `n/a` where nothing was measured, `void`, and with a star
    where some answers could not be judged."""
    if score is None:
        return MISSING
    if score.missing:
        return GONE
    if score.void:
        return VOID
    if score.value is None:
        return f"{MISSING} ({score.n_unscored} unscored)" if score.n_unscored else MISSING
    return f"{100 * score.value:z.1f}" + ("*" if score.n_unscored else "")


def percent_interval(score: Score | None) -> str:
    """The value with its 95 % interval: `12.5 [7.1, 20.9]`; where some answers could not be
    judged also what it would be were they all 0, or all 1: `; 8 unscored: 11.0-19.0`."""
    if score is None or score.value is None:
        return percent(score)
    text = f"{100 * score.value:z.1f}"
    if score.low is not None and score.high is not None:
        text += f" [{100 * score.low:z.1f}, {100 * score.high:z.1f}]"
    if score.bound_low is not None and score.bound_high is not None:
        bounds = f"{100 * score.bound_low:.1f}-{100 * score.bound_high:.1f}"
        text += f"; {score.n_unscored} unscored: {bounds}"
    return text


def rate_interval(value: float, low: float, high: float, *, n_unscored: int = 0) -> str:
    """A rate with its interval, per cent: `12.5 [7.1, 20.9]`, with a star where some answers could
    not be judged."""
    star = "*" if n_unscored else ""
    return f"{100 * value:z.1f}{star} [{100 * low:z.1f}, {100 * high:z.1f}]"


def points(
    value: float | None, low: float | None, high: float | None, *, n_unscored: int = 0
) -> str:
    """A difference of rates in points: `-40.0 [-51.2, -28.8]`, `n/a` where there is none, with a
    star where some answers could not be judged."""
    if value is None or low is None or high is None:
        return MISSING
    star = "*" if n_unscored else ""
    return f"{100 * value:+z.1f}{star} [{100 * low:+z.1f}, {100 * high:+z.1f}]"


def probability(p: float) -> str:
    """A p value: `0.012`, `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: float | None, *, digits: int = 3) -> str:
    """Three significant digits, without an exponent."""
    if value is None:
        return MISSING
    return f"{Decimal(f'{value:.{digits}g}'):,f}"


def ratio(value: float | None) -> str:
    """`1.5x`."""
    return MISSING if value is None else f"{number(value)}x"


def mebibytes(n_bytes: int | None) -> str:
    """Memory in MiB."""
    return MISSING if n_bytes is None else f"{n_bytes / 2**20:,.0f}"


def rank(interval: tuple[int, int] | None) -> str:
    """`1`, or `1-2` for a tie."""
    if interval is None:
        return ""
    best, worst = interval
    return str(best) if best == worst else f"{best}-{worst}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, its columns aligned for readers of the source too."""
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    widths = [max(3, *(len(row[i]) for row in (header, *escaped))) for i in range(len(header))]
    lines = [_line(header, widths), _line(["-" * width for width in widths], widths)]
    return "\n".join([*lines, *(_line(row, widths) for row in escaped)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "| " + " | ".join(padded) + " |"


def borne(family: str) -> str:
    """A family of attacks by what carries the request, or by how it was found."""
    return family if family == ADAPTIVE else f"{family}-borne"
