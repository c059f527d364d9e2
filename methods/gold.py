"""The model that never learnt the harm: what perfect unlearning would look like.

Source: the retrained model of the unlearning literature (TOFU, arXiv:2401.06121, calls it the
retain model). Differs from the paper: here it is made by the testbed's own recipe, with the
harmful recipes never shown; only models whose card names a gold model have one.
"""

from __future__ import annotations

from benchmark.api import Job, Method, MethodConfig, Unlearned


class Gold(Method[MethodConfig]):
    """Stands the gold checkpoint in for the base."""

    deterministic = True
    reference_row = True
    stands_in_gold = True

    def unlearn(self, job: Job) -> Unlearned:
        """The gold checkpoint's weights; `MissingError` if the model has none."""
        return Unlearned(weights=job.gold())


METHOD = Gold
