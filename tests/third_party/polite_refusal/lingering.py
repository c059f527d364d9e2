"""Refuse to go: a hook stays on the model, and gradients stay off for whoever comes next.

Source: none. Differs from the paper: there is none.
"""

from __future__ import annotations

import torch

from benchmark.api import Job, Method, MethodConfig, Unlearned


class Lingering(Method[MethodConfig]):
    """Reads the head's output and never stops."""

    def unlearn(self, job: Job) -> Unlearned:
        """Leave things lying about."""
        job.model.roles.head.register_forward_hook(lambda *_: None)
        torch.set_grad_enabled(False)
        return Unlearned()


METHOD = Lingering
