"""The merged weights served with fewer bits: the language model's layers alone, as presets load
them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from benchmark.core.method_config import MethodConfig
from benchmark.treating import Patient, State, Treatment, Watch


class Rounded(Treatment[MethodConfig]):
    """Nothing is trained: the weights are rounded to `precision` as they are read."""

    precision: ClassVar[str]

    def treat(self, patient: Patient, watch: Watch) -> Sequence[State]:
        """Read them once so: what this machine cannot do is said here."""
        patient.merged(self.precision)
        return [State(precision=self.precision)]
