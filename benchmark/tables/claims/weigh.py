"""Claims and evidence make verdicts. Nothing here knows what came out."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.claims import Claim, Paper
from benchmark.tables.claims.decide import finding
from benchmark.tables.claims.evidence import Evidence
from benchmark.tables.claims.finding import (
    CONFIRMED,
    NOT_CONFIRMED,
    NOT_TESTABLE,
    Finding,
    Verdict,
    Weighed,
)
from benchmark.tables.claims.words import compared


def weigh(papers: Sequence[Paper], evidence: Sequence[Evidence]) -> list[Weighed]:
    """Every claim, in the papers' order."""
    return [
        _weighed(paper, claim, [finding(claim, one) for one in evidence if _speaks_of(claim, one)])
        for paper in papers
        for claim in paper.claims
    ]


def _speaks_of(claim: Claim, evidence: Evidence) -> bool:
    return not claim.models or evidence.model in claim.models


def _weighed(paper: Paper, claim: Claim, findings: list[Finding]) -> Weighed:
    verdict, why = _over_models(findings)
    return Weighed(
        id=claim.id, paper=paper.title, source=paper.source, ours=claim.ours, claim=claim.claim,
        compared=compared(claim), note=claim.note, findings=findings, verdict=verdict, why=why,
    )  # fmt: skip


def _over_models(findings: Sequence[Finding]) -> tuple[Verdict, str]:
    """Confirmed only where no target that can say speaks otherwise; the words say who says what."""
    telling = [one for one in findings if one.verdict != NOT_TESTABLE]
    if not telling:
        reasons = dict.fromkeys(one.why for one in findings) or {"no published board": None}
        return NOT_TESTABLE, "; ".join(reasons)
    whys = {one.why or "confirmed" for one in findings}
    if len(whys) == 1:
        why = telling[0].why
    else:
        why = "; ".join(f"{one.model}: {one.why or 'confirmed'}" for one in findings)
    confirmed = all(one.verdict == CONFIRMED for one in telling)
    return (CONFIRMED if confirmed else NOT_CONFIRMED), why
