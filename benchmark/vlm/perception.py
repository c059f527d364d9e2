"""What stays as it is while a language model is trained: prompts as tokens, images as features.

All models that read and see with the same weights share it, one run after another.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from benchmark.core.samples import ImageFile
from benchmark.cost.lending import Lending
from benchmark.vlm.encoding import Encoder

# Features kept of one checkpoint: room for 40,000 images of the miniature, 400 of LLaVA-1.5.
MAX_BYTES = 2 * 1024**3


class ImageFeatures:
    """Projected visual tokens `[N, D]` by the digest of the image, in main memory, while there is
    room. A feature depends on its image alone: whoever makes one does so in a batch of one."""

    def __init__(
        self, lending: Lending, *, max_bytes: int = MAX_BYTES, below: ImageFeatures | None = None
    ) -> None:
        self.lending = lending
        self.shown: dict[str, ImageFile] = {}
        """Every image that was asked for, by its digest."""
        self._kept: dict[str, Tensor] = {}
        self._room = max_bytes
        self._largest = 0
        self._below = below

    def lend(self, image: ImageFile) -> Tensor | None:
        """The features of an image, or None; the stage is charged for them."""
        self.shown[image.sha256] = image
        found = self._kept.get(image.sha256)
        if found is None and self._below is not None:
            found = self._below._kept.get(image.sha256)
        if found is not None:
            self.lending.use(image.sha256)
        return found

    def keep(self, features: Mapping[str, Tensor]) -> None:
        """Remember what there is room for."""
        for sha256, tensor in features.items():
            self._largest = max(self._largest, tensor.nbytes)
            if tensor.nbytes <= self._room and sha256 not in self._kept:
                self._kept[sha256] = tensor.cpu()
                self._room -= tensor.nbytes

    @property
    def has_room(self) -> bool:
        """Would another image like the largest so far be kept?"""
        return self._largest <= self._room

    def over(self) -> ImageFeatures:
        """One that finds what is here and keeps what is new to itself until `merge`."""
        above = ImageFeatures(self.lending, max_bytes=self._room, below=self)
        above._largest = self._largest
        return above

    def merge(self) -> None:
        """Hand what is new to the one below."""
        assert self._below is not None, "made by over()"
        self._below.keep(self._kept)


class Perception:
    """A checkpoint's encoder, once it was loaded, and the images that it has projected."""

    def __init__(self, device: str) -> None:
        self.encoder: Encoder | None = None
        self.features = ImageFeatures(Lending(device))


class Perceptions:
    """All that were needed so far, by digest of the checkpoint, precision and device."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Perception] = {}

    def of(self, sha256: str, *, precision: str, device: str) -> Perception:
        """The one of these weights; an empty one if it is the first time."""
        return self._known.setdefault((sha256, precision, device), Perception(device))
