"""Llama 3.2 Vision looks at images by cross-attention: what it sees never stands among its words.

Some of its layers attend to `[B, S, D]`, the tiles of a request's images one after another, by a
mask that lets words see the image they come after.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.mllama.processing_mllama import (
    convert_sparse_cross_attention_mask_to_dense,
    get_cross_attention_token_mask,
)

from benchmark.core.samples import ImageFile
from benchmark.vlm.encoding import Encoder, View
from benchmark.vlm.sight import Sight

SEEN = "cross_attention_states"


def sight_of(hf: Any, encoder: Encoder, modules: Sequence[nn.Module], *, width: int) -> Sight:
    """How this model sees."""
    kind = Sight if hasattr(hf.model, "get_image_features") else CrossSight
    return kind(hf, encoder, modules, width=width)


class CrossSight(Sight):
    """A feature is `[tiles P, D]`: P places of every tile, of those as well that are not there."""

    among_words = False

    def __init__(
        self, hf: Any, encoder: Encoder, modules: Sequence[nn.Module], *, width: int
    ) -> None:
        super().__init__(hf, encoder, modules, width=width)
        _see_once(hf)

    def placed(self, view: View, features: Sequence[Tensor]) -> dict[str, Any]:
        """`[B, S, D]`, zeros where a request has fewer images, and `[B, T, images, tiles]`."""
        n_images = [len(sample.images) for sample in view.samples]
        grids = [grid for grid in self._encoder.grids(view.samples) if grid is not None]
        ends = accumulate(n_images)
        own = [features[end - n : end] for n, end in zip(n_images, ends, strict=True)]
        empty = torch.zeros_like(features[0])
        rows = [torch.cat([*some, *[empty] * (max(n_images) - len(some))]) for some in own]
        mask = self._mask(view, grids, n_images)
        return {SEEN: torch.stack(rows), "cross_attention_mask": mask.to(features[0].device)}

    def _look(self, images: Sequence[ImageFile]) -> list[Tensor]:
        tower, projector = self._modules
        pixels = self._pixels(images, taken_by=type(tower).forward)
        seen = projector(tower(**pixels).last_hidden_state)
        return list(seen.reshape(len(images), -1, self._width))

    def _mask(self, view: View, grids: Sequence[Tensor], n_images: Sequence[int]) -> Tensor:
        n_tiles = grids[0].shape[-1]
        n_rows, length = view.input_ids_BT.shape
        mask = torch.zeros((n_rows, length, max(n_images), n_tiles), dtype=torch.long)
        waiting = iter(grids)
        for row, (ids_T, here_T) in enumerate(
            zip(view.input_ids_BT, view.attention_mask_BT, strict=True)
        ):
            if not n_images[row]:
                continue
            ids = ids_T[here_T].tolist()
            dense = convert_sparse_cross_attention_mask_to_dense(
                [get_cross_attention_token_mask(ids, self._encoder.image_token_id)],
                num_tiles=[next(waiting).sum(-1).tolist()], max_num_tiles=n_tiles, length=len(ids),
            )[0]  # fmt: skip
            mask[row, here_T.cpu(), : n_images[row]] = torch.as_tensor(dense).long()
        return mask


def _see_once(hf: Any) -> None:
    """Generation hands what is seen to every step, whose cache would grow by it each time."""
    own = hf.prepare_inputs_for_generation

    @wraps(own)
    def prepared(*tokens: Any, is_first_iteration: bool = False, **given: Any) -> dict[str, Any]:
        made = own(*tokens, is_first_iteration=is_first_iteration, **given)
        if not is_first_iteration:
            made[SEEN] = None
        return made

    hf.prepare_inputs_for_generation = prepared
