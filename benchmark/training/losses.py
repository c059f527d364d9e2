"""The mathematics that methods share. Answer tokens only; nothing is averaged over padding.

Shapes: B samples, A answer tokens of all samples, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmark.vlm.encoding import View
from benchmark.vlm.model import VisionLanguageModel


def token_logprob(logits_AV: Tensor, targets_A: Tensor) -> Tensor:
    """`[A]`: log-probability of each answer token."""
    return -F.cross_entropy(logits_AV.float(), targets_A, reduction="none")


def nll(model: VisionLanguageModel, view: View) -> Tensor:
    """Cross-entropy in nats per answer token, averaged over all answer tokens of the batch."""
    return -token_logprob(model.answer_logits(view), view.targets_A).mean()


def answer_logprob(model: VisionLanguageModel, view: View) -> Tensor:
    """`[B]`: log-probability of each whole answer, summed over its tokens."""
    logprob_A = token_logprob(model.answer_logits(view), view.targets_A)
    return sum_by_sample(logprob_A, view)


def sum_by_sample(values_A: Tensor, view: View) -> Tensor:
    """`[B]`: per-token values summed over each sample's answer."""
    rows_A, _ = view.predicting
    sums_B = values_A.new_zeros(len(view.samples))
    return sums_B.index_add(0, rows_A, values_A)


def bounded_ascent(nll_value: Tensor, *, ceiling: float) -> Tensor:
    """The cross-entropy to be ascended, without gradient once it has reached the ceiling.

    Without a ceiling the ascended term has no bound, and a strong learner leaves language behind
    (llm_unlearn's stop rule was meant for this and never fires: METHODS.md A.5).
    """
    return torch.clamp(nll_value, max=ceiling)


def forward_kl(reference_logits_AV: Tensor, current_logits_AV: Tensor) -> Tensor:
    """KL(reference || current) in nats, averaged over answer tokens; 0 when they are equal."""
    return F.kl_div(
        current_logits_AV.float().log_softmax(-1),
        reference_logits_AV.float().log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )


def masked_mse(states_BTD: Tensor, wanted_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Squared distance, averaged over the width, over a sample's marked tokens, over samples.

    Raises `ValueError` where a sample has no marked token.
    """
    n_marked_B = mask_BT.sum(1)
    if not bool(n_marked_B.all()):
        raise ValueError("a sample has no marked token to compare states at")
    squared_BT = (states_BTD - wanted_BTD).square().mean(-1)
    return ((squared_BT * mask_BT).sum(1) / n_marked_B).mean()


def mean_over_tokens(hidden_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """`[B, D]`: the mean state of each row's marked tokens, and of no others.

    Raises `ValueError` naming the first row without any: a mean of nothing is not zero.
    """
    counts_B = mask_BT.sum(1)
    if not bool((counts_B > 0).all()):
        raise ValueError(f"row {int((counts_B == 0).nonzero()[0, 0])} has no token to average over")
    return (hidden_BTD * mask_BT[..., None]).sum(1) / counts_B[:, None]
