"""How figures of persons are written in a table's cell. Missing is never zero."""

from __future__ import annotations

from benchmark.scoring.forgetting.figures import Figure
from benchmark.scoring.forgetting.gold import Spread, ToGold
from benchmark.scoring.forgetting.kept import Kept
from benchmark.scoring.forgetting.roc import Separation
from benchmark.tables.cells import MISSING, number, points
from benchmark.tables.forgetting.board import DistanceShown

Estimated = DistanceShown | Separation


def estimate(found: Estimated | None) -> str:
    """A number 0 to 1 with its interval: `0.42 [0.31, 0.60]`, with a star where some rows that it
    is of are unscored."""
    if found is None or found.value is None:
        return MISSING
    star = "*" if found.n_unscored else ""
    return f"{found.value:.2f}{star}" + ends(found.low, found.high)


def ends(low: float | None, high: float | None) -> str:
    """` [0.31, 0.60]`; nothing where there is no interval."""
    return "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"


def rate(found: Figure | None) -> str:
    """A rate in per cent, or a mean of logarithms in nats; a star where some are unscored."""
    if found is None:
        return MISSING
    if found.value is None:
        return f"{MISSING} ({found.n_unscored} unscored)"
    star = "*" if found.n_unscored else ""
    return (f"{100 * found.value:z.1f}" if found.unit == "rate" else f"{found.value:z.2f}") + star


def difference(found: ToGold | None, *, is_rate: bool) -> str:
    """Signed, to gold, with its interval: points of a rate, else nats."""
    if found is None or found.difference is None:
        return MISSING
    low, high = found.difference_low, found.difference_high
    if is_rate and low is not None and high is not None:
        return points(found.difference, low, high)
    scale = 100 if is_rate else 1
    text = f"{scale * found.difference:+z.2f}"
    return text + ("" if low is None or high is None else f" [{low:+z.2f}, {high:+z.2f}]")


def share(found: Kept | None) -> str:
    """What is kept, in per cent: `97.2 [93.0, 100.0]`."""
    if found is None or found.value is None:
        return MISSING
    star = "*" if found.n_unscored else ""
    text = f"{100 * found.value:.1f}{star}"
    if found.low is None or found.high is None:
        return text
    return f"{text} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def gold_range(low: float | None, high: float | None, *, is_rate: bool) -> str:
    """Where another gold would lie: `2.0 to 9.5` per cent, or nats."""
    if low is None or high is None:
        return MISSING
    if is_rate:
        return f"{100 * max(low, 0.0):.1f} to {100 * min(high, 1.0):.1f}"
    return f"{low:z.2f} to {high:z.2f}"


def spread_range(found: Spread | None) -> str:
    """`0.10 (0.05 to 0.16)`: the mean D of pairs of golds, and where another pair's would lie."""
    if found is None or found.value is None:
        return MISSING
    if found.low is None or found.high is None:
        return f"{number(found.value)} (of {found.n_golds} golds: too few for a range)"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
