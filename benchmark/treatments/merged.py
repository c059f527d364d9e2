"""The adapter merged into the weights it lies beside, written as a checkpoint and read again.

As a method's outcome is published and deployed. Source: none of its own. Differs from the paper:
none known.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.method_config import MethodConfig
from benchmark.treating import NotPossible, Patient, State, Treatment, Watch


class Merged(Treatment[MethodConfig]):
    """What rounding of sums alone does."""

    def treat(self, patient: Patient, watch: Watch) -> Sequence[State]:
        """Read it once, so that what cannot be read is said here."""
        if not patient.has_adapter:
            raise NotPossible(f"'{patient.method}' leaves no adapter to merge")
        patient.merged()
        return [State()]


TREATMENT = Merged
