"""Which of the sets that a run needs are not here."""

from __future__ import annotations

from typing import Any, Literal

from benchmark.api import Method
from benchmark.core.records import MissingData
from benchmark.core.roles import PoolModality, PoolRole
from benchmark.data.missing import missing_of, missing_of_pool
from benchmark.suites import Evaluation, PoolName, Suite

Part = Literal["evaluation", "selection"]


def lacking(suite: Suite, method: Method[Any], *, part: Part, upto: str) -> list[MissingData]:
    """Of the pools that the method learns from, of what it is asked, and of what the bar of
    coherence is taken from. Raises `DataMissing` for a pool of which nothing is here."""
    found = [
        one
        for role, modality in pools_of(method)
        for one in missing_of_pool(suite, trained_on(suite, part), role, modality)
    ]
    if upto != "train":
        found += missing_of(asked_of(suite, part))
    if upto in ("judge", "score"):
        found += missing_of_pool(suite, "validation", "keep", "both")
    return list({(one.role, one.name, *one.forms): one for one in found}.values())


def asked_of(suite: Suite, part: Part) -> Evaluation:
    """The reported evaluation, or the one that settings are chosen on."""
    return suite.evaluation if part == "evaluation" else suite.selection


def trained_on(suite: Suite, part: Part) -> PoolName:
    """The pools that methods learn from, for what is reported or while settings are chosen."""
    return "selection" if part == "selection" and "selection" in suite.pools else "train"


def pools_of(method: Method[Any]) -> list[tuple[PoolRole, PoolModality]]:
    """The pools that a method learns from, with the modality that it wants of each."""
    try:
        pools = [(role, method.modality_of(role)) for role in method.pools]
        return [pool for pool in pools if all(isinstance(word, str) for word in pool)]
    # A plugin's own words; its run will put on record what is wrong with them.
    except Exception:
        return []
