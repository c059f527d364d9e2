"""Refuse to leave the vision tower alone, without saying so.

Source: none. Differs from the paper: there is none.
"""

from __future__ import annotations

import torch

from benchmark.api import Job, Method, MethodConfig, Unlearned


class Restless(Method[MethodConfig]):
    """Declares no role and changes one."""

    def unlearn(self, job: Job) -> Unlearned:
        """Move one parameter of the vision tower."""
        with torch.no_grad():
            next(job.model.roles.vision.parameters()).add_(1.0)
        return Unlearned()


METHOD = Restless
