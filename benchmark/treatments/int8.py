"""The merged weights served in 8 bits: the language model's layers alone, as presets load them.

LLM.int8 (Dettmers et al. 2022, arXiv:2208.07339). That rounding can bring back what was unlearned
is the finding of Zhang et al. 2024, arXiv:2410.16454. Differs from the paper: it rounds to 4 and 8
bits by round-to-nearest, AWQ and GPTQ; here by the code that `int8` presets are loaded with.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.method_config import MethodConfig
from benchmark.treating import Patient, State, Treatment, Watch

PRECISION = "int8"


class Int8(Treatment[MethodConfig]):
    """Nothing is trained: the weights are rounded as they are read."""

    def treat(self, patient: Patient, watch: Watch) -> Sequence[State]:
        """Read them once so: what this machine cannot do is said here."""
        patient.merged(PRECISION)
        return [State(precision=PRECISION)]


TREATMENT = Int8
