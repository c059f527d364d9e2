"""How a model sees: images become visual tokens, and these find their places in a request.

Families differ in how they cut an image up and in where what they see of it goes in; transformers'
own `get_image_features` and `mm_encoder_outputs` know. Here it is one tensor for an image,
`[N, (1 + K) D]`: N visual tokens of width D, and beside each what K layers inside the tower say of
it, which some families add further up (Qwen3-VL's deepstack). Most have none.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from benchmark.core.samples import ImageFile
from benchmark.vlm.encoding import Encoder, View
from benchmark.vlm.perception import ImageFeatures
from benchmark.vlm.processed import GRID


class Sight:
    """Vision tower and projector of one loaded model, and where it takes what they make."""

    among_words = True
    """Are visual tokens in the sequence, where methods can find them?"""

    def __init__(
        self, hf: Any, encoder: Encoder, modules: Sequence[nn.Module], *, width: int
    ) -> None:
        self._body, self._encoder, self._modules = hf.model, encoder, modules
        self._width = width
        # Tokens of a tile, where a family counts in them.
        self._n_tile = getattr(encoder.processor, "image_seq_len", None)

    def look(self, images: Sequence[ImageFile]) -> list[Tensor]:
        """`[N, (1 + K) D]` of each image, all in one batch where the family keeps them apart."""
        if not images:
            return []
        features = self._look(images)
        if len(features) == len(images):
            return features
        return [torch.cat(self._look([image])) for image in images]

    def apart(self, images: Iterable[ImageFile]) -> dict[str, Tensor]:
        """The same by digest of the image, each in a batch of its own: a feature's last digits
        would depend on its neighbours. No dropout, no gradients."""
        with self._only_looking():
            return {image.sha256: torch.cat(self._look([image])) for image in images}

    def remembered(
        self, images: Sequence[ImageFile], kept: ImageFeatures, *, device: torch.device
    ) -> list[Tensor]:
        """The same of each image, made once and kept."""
        by_name = {image.sha256: image for image in images}
        lent = {name: kept.lend(image) for name, image in by_name.items()}
        found = {name: features for name, features in lent.items() if features is not None}
        missing = by_name.keys() - found.keys()
        if missing:
            with kept.lending.making(missing):
                made = self.apart(by_name[name] for name in missing)
            kept.keep(made)
            found |= made
        return [found[image.sha256].to(device) for image in images]

    def placed(self, view: View, features: Sequence[Tensor]) -> dict[str, Any]:
        """What the outer model takes beside a view's tokens: the features of all its images, in
        order, and what their positions go by."""
        tokens_SD, *further = torch.cat(list(features)).split(self._width, dim=-1)
        tokens = _ForEitherKind(tokens_SD.contiguous(), n_tile=self._n_tile)
        seen = BaseModelOutputWithPooling(pooler_output=tokens)
        if further:
            seen["deepstack_features"] = [[layer] for layer in further]
        grids = [grid for grid in self._encoder.grids(view.samples) if grid is not None]
        by = {GRID: torch.cat(grids).to(tokens_SD.device)} if grids else {}
        return {"mm_encoder_outputs": {"image": seen}, **by}

    def _look(self, images: Sequence[ImageFile]) -> list[Tensor]:
        """By image where the family tells them apart, else by tile: `[N, (1 + K) D]` each."""
        see = self._body.get_image_features
        output = see(**self._pixels(images, taken_by=see), return_dict=True)
        further = output.get("deepstack_features") or ()
        return [
            torch.cat(parts, dim=-1) for parts in zip(output.pooler_output, *further, strict=True)
        ]

    def _pixels(
        self, images: Sequence[ImageFile], *, taken_by: Callable[..., Any]
    ) -> dict[str, Tensor]:
        """As much of what the processor makes of these images as is taken, where the tower is."""
        device, dtype = next((p.device, p.dtype) for p in self._modules[0].parameters())
        taken = inspect.signature(taken_by).parameters
        return {
            name: value.to(device, dtype) if value.is_floating_point() else value.to(device)
            for name, value in self._encoder.pixels_of(images).items()
            if name in taken
        }

    @contextmanager
    def _only_looking(self) -> Iterator[None]:
        """No dropout, no gradients, and tensors that may serve a training afterwards."""
        training = [module for module in self._modules if module.training]
        for module in training:
            module.eval()
        try:
            with torch.inference_mode(mode=False), torch.no_grad():
                yield
        finally:
            for module in training:
                module.train()


class _ForEitherKind(list):
    """Some families join a list of features by image, others take one tensor by tile, which they
    first move to where they work."""

    def __init__(self, tokens_SD: Tensor, *, n_tile: int | None) -> None:
        super().__init__([tokens_SD])
        self._tiles_KND = tokens_SD.view(-1, n_tile or len(tokens_SD), tokens_SD.shape[-1])

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """`[tiles, N, D]`, moved."""
        return self._tiles_KND.to(*args, **kwargs)
