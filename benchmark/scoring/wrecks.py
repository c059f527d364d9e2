"""What a treated model still does of what was to be left alone, beside the untouched model.

A wreck does nothing that was to be forgotten either, so that its low figures say nothing. What was
not measured is not taken for whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmark.core.plan import GateLimits

TWIN_SHARE = GateLimits().twin_share

KeptShares = Mapping[int, float | None]
"""Step -> `kept_share` after so many steps of relearning."""


def kept_share(mine: float | None, untouched: float | None) -> float | None:
    """What is left of an untouched model's rate, 1 is all of it; None, which is unknown, where one
    of the two was not measured or the untouched model does nothing of it."""
    return mine / untouched if mine is not None and untouched else None


def is_wreck(share: float | None) -> bool:
    """Is it known to be less than a row must keep?"""
    return share is not None and share < TWIN_SHARE


def first_wreck(kept: KeptShares) -> int | None:
    """The first step at which it is one."""
    return next((step for step in sorted(kept) if is_wreck(kept[step])), None)


def first_unknown(kept: KeptShares) -> int | None:
    """The first step at which nobody knows."""
    return next((step for step in sorted(kept) if kept[step] is None), None)
