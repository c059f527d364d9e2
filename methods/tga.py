"""Text-guided alignment: carry a language model's safety over to images while it learns to see.

Xu et al. 2024, "Cross-Modal Safety Mechanism Transfer in Large Vision-Language Models",
arXiv:2410.12662; code xsc1234/VLM_Safety_Transfer at 2e1be15. From a text-safe language model, a
vision tower and a fresh projector: first the projector learns, then projector and language model.
Preset `paper`: sum over decoder layers j of [-cos(I_j, C_j) + log(1 + exp(cos(R_j, C_j) -
cos(I_j, C_j)))] + CE, with I, C and R the mean states of image, caption and retrieved text.
`release_intended`: what the released code means, 0.25 (1 - t) mean exp(-cos(I, C)) +
0.1 (1 - t)^2 mean exp(cos(R, C) - cos(I, C)) over layers 10 to 18 of 32, here at the same relative
depth. `release_literal`: the same as it runs there, where Python's `math.exp` returns numbers
without a gradient, so that cross-entropy alone is trained.

Differs from the paper: R is without gradient as C is (ours: else the loss could fall by pushing R
away from C). The paper generates captions by a 13B model and retrieves with BEIT-3; the testbed's
captions are its pictures' own, and a small dual encoder retrieves. Instructions without captions
are trained on without guidance. Learning rates, steps and batches are of this size, and 100 steps
are what a run of all methods can afford: the testbed's own model had 800 of more samples, after an
alignment patch by patch and beside replayed text. So it does not learn to see here, and forgets
recipes; with 900 steps it reads, and forgets them all the same (CHANGELOG, "Known limits"). On a
finished model with LoRA it is `tga_posthoc`, never this.
"""

from __future__ import annotations

from benchmark.api import Job, Method, PoolModality, PoolRole, Unlearned
from benchmark.training.guidance import GUIDED_POOLS, MODALITIES, AlignmentConfig, align


class Tga(Method[AlignmentConfig]):
    """Two phases of the shared loop, from the checkpoint before vision."""

    pools = GUIDED_POOLS
    starts_from = "before_vision"
    grid = {"learning_rate": (1e-3, 2e-3), "guidance": (0.03, 0.1, 0.3, 1.0)}

    def unlearn(self, job: Job) -> Unlearned:
        """What differs from that checkpoint: projector and language model, in full."""
        align(job, self.config)
        return Unlearned(weights=job.model.weights_delta())

    def modality_of(self, role: PoolRole) -> PoolModality:
        """Harmless images with captions, instructions of both kinds, harm in text only."""
        return MODALITIES[role]


METHOD = Tga
