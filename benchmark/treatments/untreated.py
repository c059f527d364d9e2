"""No treatment: the model as its method left it, an adapter beside the weights it was trained on.

Source: none. Differs from the paper: none known.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.method_config import MethodConfig
from benchmark.treating import Patient, State, Treatment, Watch


class Untreated(Treatment[MethodConfig]):
    """What every other column is read against."""

    def treat(self, patient: Patient, watch: Watch) -> Sequence[State]:
        """Nothing is done."""
        return [State(held="as_left")]


TREATMENT = Untreated
