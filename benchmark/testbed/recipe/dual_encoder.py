"""A small dual encoder that finds texts for pictures: what BEIT-3 or CLIP is to a large model.

On top of a frozen vision tower and frozen word embeddings, one attention layer each, trained on
pairs of a picture and its caption. Shape suffixes: B pairs, P patches, T tokens, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 128
N_HEADS = 4


class Side(nn.Module):
    """One side: a sequence of frozen features `[B, T, F]` becomes one direction `[B, D]`."""

    def __init__(self, n_features: int, *, n_positions: int) -> None:
        super().__init__()
        self.into = nn.Sequential(nn.LayerNorm(n_features), nn.Linear(n_features, WIDTH))
        self.positions = nn.Parameter(0.02 * torch.randn(n_positions, WIDTH))
        self.mix = nn.TransformerEncoderLayer(
            WIDTH, N_HEADS, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, features_BTF: Tensor, mask_BT: Tensor) -> Tensor:
        """Unit vectors; only marked positions count."""
        hidden_BTD = self.into(features_BTF) + self.positions[: features_BTF.shape[1]]
        hidden_BTD = self.mix(hidden_BTD, src_key_padding_mask=~mask_BT)
        weights_BT1 = mask_BT[..., None] / mask_BT.sum(1)[:, None, None]
        return F.normalize(self.out((hidden_BTD * weights_BT1).sum(1)), dim=-1)


class DualEncoder(nn.Module):
    """Pictures and texts in one space; near is alike."""

    def __init__(
        self, *, n_picture_features: int, n_word_features: int, n_patches: int, n_tokens: int
    ) -> None:
        super().__init__()
        self.pictures = Side(n_picture_features, n_positions=n_patches)
        self.texts = Side(n_word_features, n_positions=n_tokens)
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def see(self, patches_BPF: Tensor) -> Tensor:
        """`[B, D]` of pictures."""
        return self.pictures(patches_BPF, torch.ones(patches_BPF.shape[:2], dtype=torch.bool))

    def loss(
        self, patches_BPF: Tensor, words_BTF: Tensor, mask_BT: Tensor, same_BB: Tensor
    ) -> Tensor:
        """Each picture picks its caption among the batch's and each caption its picture; `same_BB`
        marks pairs whose captions are equal, of which none is wrong."""
        likeness_BB = self.see(patches_BPF) @ self.texts(words_BTF, mask_BT).T
        logits_BB = self.log_scale.clamp(max=4.6).exp() * likeness_BB
        wanted_BB = same_BB / same_BB.sum(1, keepdim=True)
        return 0.5 * (
            F.cross_entropy(logits_BB, wanted_BB) + F.cross_entropy(logits_BB.T, wanted_BB)
        )
