"""The two small networks that CAGUL trains beside a frozen model.

Shapes: I images, N visual tokens per image, K selected ones, D width of the language model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Of the optional self-attention block.
N_HEADS = 4


class Gate(nn.Module):
    """Does an image belong to what is to be forgotten? LayerNorm, attention pooling, MLP.

    It sees projected visual tokens only: neither the question nor anything of the answer. It opens
    where its logit lies above `threshold`, which is a buffer and not trained.
    """

    threshold: Tensor

    def __init__(self, n_hidden: int, *, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_hidden)
        self.pooling = nn.Linear(n_hidden, 1, bias=False)
        self.inner = nn.Linear(n_hidden, width)
        self.outer = nn.Linear(width, 1)
        self.register_buffer("threshold", torch.zeros(()))

    def forward(self, tokens_IND: Tensor) -> Tensor:
        """`[I]`: logits in nats, high for images of the forget set."""
        normed_IND = self.norm(tokens_IND.float())
        attention_IN1 = self.pooling(normed_IND).softmax(dim=1)
        pooled_ID = (attention_IN1 * normed_IND).sum(dim=1)
        return self.outer(F.gelu(self.inner(pooled_ID))).squeeze(-1)

    def margin(self, tokens_IND: Tensor) -> Tensor:
        """`[I]`: how far above its threshold the logit lies; the gate is open above 0."""
        return self(tokens_IND) - self.threshold


def threshold_at(logits_I: Tensor, *, false_positives: float) -> Tensor:
    """The lowest of these harmless images' logits that at most a share of them lies above."""
    n_allowed = math.floor(false_positives * len(logits_I))
    return logits_I.sort(descending=True).values[min(n_allowed, len(logits_I) - 1)]


class TokenEncoder(nn.Module):
    """z + W2 GELU(W1 LN(z) + u) on selected visual tokens, the same number and positions.

    W2 is zero at the start, and so is the output of the optional self-attention block over the
    selected tokens: untrained, both give back what they were given.
    """

    def __init__(self, n_hidden: int, *, width: int, mixing: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_hidden)
        self.inner = nn.Linear(n_hidden, width, bias=False)
        self.signal = nn.Parameter(torch.zeros(width))
        self.outer = nn.Linear(width, n_hidden, bias=False)
        nn.init.zeros_(self.outer.weight)
        self.mixer = _Mixer(n_hidden) if mixing else None

    def forward(self, tokens_IKD: Tensor) -> Tensor:
        """`[I, K, D]` in and out, in fp32."""
        tokens_IKD = tokens_IKD.float()
        if self.mixer is not None:
            tokens_IKD = tokens_IKD + self.mixer(tokens_IKD)
        return tokens_IKD + self.outer(F.gelu(self.inner(self.norm(tokens_IKD)) + self.signal))


class _Mixer(nn.Module):
    """Self-attention over the selected tokens of an image."""

    def __init__(self, n_hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_hidden)
        self.attention = nn.MultiheadAttention(n_hidden, N_HEADS, batch_first=True)
        nn.init.zeros_(self.attention.out_proj.weight)

    def forward(self, tokens_IKD: Tensor) -> Tensor:
        normed_IKD = self.norm(tokens_IKD)
        return self.attention(normed_IKD, normed_IKD, normed_IKD, need_weights=False)[0]


def rewrite(encoder: TokenEncoder, tokens_IND: Tensor, selected_IK: Tensor) -> Tensor:
    """`[I, N, D]`: the selected tokens through the encoder, in place; the others as they are."""
    index_IKD = selected_IK[..., None].expand(-1, -1, tokens_IND.shape[-1])
    changed_IKD = encoder(tokens_IND.gather(1, index_IKD))
    return tokens_IND.scatter(1, index_IKD, changed_IKD.to(tokens_IND.dtype))
