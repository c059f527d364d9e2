"""The untouched model: what every other row is compared with.

Source: none, a reference row. Differs from the paper: there is none.
"""

from __future__ import annotations

from benchmark.api import Job, Method, MethodConfig, Unlearned


class Original(Method[MethodConfig]):
    """Changes nothing."""

    deterministic = True
    reference_row = True

    def unlearn(self, job: Job) -> Unlearned:
        """The null artifact."""
        return Unlearned()


METHOD = Original
