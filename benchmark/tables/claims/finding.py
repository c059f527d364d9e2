"""What weighing a claim gives: figures, a verdict for each target, and one over them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.core.records import Stored

Verdict = Literal["confirmed here", "not confirmed here", "not testable here"]
CONFIRMED: Verdict = "confirmed here"
NOT_CONFIRMED: Verdict = "not confirmed here"
NOT_TESTABLE: Verdict = "not testable here"
Side = Literal["claimed", "other", "between"]
OPEN = "not told apart"
CONTRADICTED = "contradicted"


class Figure(Stored):
    """What was measured, and the bound that it is held against. Rates and points are 0 to 1."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: Literal["per cent", "points", "ratio"]
    bound: float | None = None


class Finding(Stored):
    """The verdict on one model, with the figures it rests on and the reason in words."""

    model: str
    verdict: Verdict
    why: str = ""
    figures: list[Figure] = Field(default_factory=list)


class Weighed(Stored):
    """A claim with what each target says of it, and the verdict over them."""

    id: str
    paper: str
    source: str
    ours: bool
    claim: str
    compared: str
    note: str
    findings: list[Finding]
    verdict: Verdict
    why: str
