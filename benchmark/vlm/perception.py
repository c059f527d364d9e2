"""What stays as it is while a language model is trained: prompts as tokens, images as features.

All models that read and see with the same weights may share it, one run after another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import Tensor

from benchmark.core.records import StageCost
from benchmark.vlm.encoding import Encoder

# Features kept of one checkpoint: room for 40,000 images of the miniature, 400 of LLaVA-1.5.
MAX_BYTES = 2 * 1024**3


@dataclass(kw_only=True)
class Loan:
    """Images that a stage found projected already, and what projecting them takes."""

    n_images: int = 0
    wall_s: float = 0.0
    device_s: float = 0.0

    def added_to(self, cost: StageCost) -> StageCost:
        """The cost of a stage that had begun with nothing."""
        return cost.model_copy(
            update={"wall_s": cost.wall_s + self.wall_s, "device_s": cost.device_s + self.device_s}
        )


class ImageFeatures:
    """Projected visual tokens `[N, D]` by the digest of the image, while there is room.

    A feature depends on its image alone: whoever fills this computes it in a batch of one.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES) -> None:
        self._kept: dict[str, Tensor] = {}
        self._room = max_bytes
        self._measured = Loan()
        self._made: set[str] = set()
        self._lent: set[str] = set()

    def get(self, sha256: str) -> Tensor | None:
        """The features of an image, or None."""
        found = self._kept.get(sha256)
        if found is not None and sha256 not in self._made:
            self._lent.add(sha256)
        return found

    def keep(self, features: dict[str, Tensor], *, wall_s: float, device_s: float) -> None:
        """Remember features, and what it took to make them all."""
        self._measured.n_images += len(features)
        self._measured.wall_s += wall_s
        self._measured.device_s += device_s
        for sha256, tensor in features.items():
            if tensor.nbytes <= self._room and sha256 not in self._kept:
                self._kept[sha256] = tensor
                self._room -= tensor.nbytes
                self._made.add(sha256)

    @contextmanager
    def lending(self) -> Iterator[Loan]:
        """Reckon up, when the block is done, what it found here that was made before it began.

        A stage is charged with that, as if it had begun with nothing.
        """
        loan = Loan()
        self._made.clear()
        self._lent.clear()
        yield loan
        loan.n_images = len(self._lent)
        if self._measured.n_images:
            share = loan.n_images / self._measured.n_images
            loan.wall_s = share * self._measured.wall_s
            loan.device_s = share * self._measured.device_s


@dataclass(kw_only=True)
class Perception:
    """A checkpoint's encoder, once it was loaded, and the images that it has projected."""

    encoder: Encoder | None = None
    features: ImageFeatures = field(default_factory=ImageFeatures)


class Perceptions:
    """All that were needed so far, by digest of the checkpoint, precision and device."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Perception] = {}

    def of(self, sha256: str, *, precision: str, device: str) -> Perception:
        """The one of these weights; an empty one if it is the first time."""
        return self._known.setdefault((sha256, precision, device), Perception())
