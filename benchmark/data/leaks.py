"""Which scored behaviours a method was also trained on, by the behaviours' names."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.core.records import Leaks
from benchmark.core.samples import Sample

N_EXAMPLES = 5


def find_leaks(*, trained: Iterable[Sample], scored: Iterable[Sample]) -> Leaks:
    """Counts of behaviours, not of samples. In-scope sets are declared by the suite, others not."""
    seen = {sample.behaviour for sample in trained}
    both = [sample for sample in scored if sample.behaviour in seen]
    declared = {sample.behaviour for sample in both if sample.scope == "in_scope"}
    undeclared = {sample.behaviour for sample in both if sample.scope != "in_scope"}
    return Leaks(
        n_declared_in_scope=len(declared),
        n_undeclared=len(undeclared),
        examples=sorted(undeclared)[:N_EXAMPLES],
    )
