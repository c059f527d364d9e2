"""What is reckoned with, and what comes together: sizes, tokens, operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from benchmark.core.samples import Sample
from benchmark.cost.flops import forward_flops, image_flops
from benchmark.cost.memory import Batch
from benchmark.cost.pictures import Pictures
from benchmark.models.shape import LanguageShape
from benchmark.planning.planned import PlannedPhase
from benchmark.planning.sizes import Sizes
from benchmark.vlm.encoding import asked
from benchmark.vlm.perception import MAX_BYTES


@dataclass(kw_only=True)
class Work:
    """Sums. `n_tokens` counts text, visual and answer tokens that are trained on or answered, and
    no padding; `flops` are of everything, None where they are not known."""

    n_steps: int = 0
    n_samples: int = 0
    n_tokens: int = 0
    n_image_tokens: int = 0
    n_answer_tokens: int = 0
    n_images: int = 0
    flops: float | None = 0.0
    heaviest: tuple[Batch, ...] = ()
    """Of all that is computed together in a training the views that take most memory; of answering
    the largest batch."""
    batches: Counter[int] = field(default_factory=Counter)
    """Of answering, by their size."""
    falls_back_to: int = 0
    """Of answering, the size of the last whole batches."""
    phases: list[PlannedPhase] = field(default_factory=list)
    n_sequences: int = 0
    n_reference_states: int = 0

    def add(self, flops: float) -> None:
        """More operations, where any are known."""
        if self.flops is not None:
            self.flops += flops


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is reckoned with: sizes of texts, and of pictures and the model that looks at them."""

    sizes: Sizes
    pictures: Pictures
    bytes_a_number: int
    recomputes: bool = False
    _lengths: dict[Hashable, int] = field(default_factory=dict)

    @property
    def language(self) -> LanguageShape:
        """Of the language model."""
        return self.pictures.shape.language

    def prompt(self, sample: Sample) -> int:
        """Tokens of a prompt, reckoned once: the same id may be asked in other words."""
        name = asked(sample)
        if name not in self._lengths:
            self._lengths[name] = self.sizes.prompt(sample)
        return self._lengths[name]

    def image_tokens(self, sample: Sample) -> int:
        """Of them, those of its images."""
        return self.pictures.n_tokens([sample])

    def looking_flops(self, samples: Iterable[Sample], *, n_uses: int) -> tuple[int, float]:
        """(images, operations) of projecting what `n_uses` looks at these samples need: each image
        once while there is room to keep its features, again at each look where there is none."""
        images = {image.sha256: image for sample in samples for image in sample.images}
        found = [self.pictures.seen(image) for image in images.values()]
        family, shape = self.pictures.family, self.pictures.shape
        flops = sum(image_flops(family, shape, one) for one in found)
        size = sum(one.visual for one in found) * self.language.hidden * self.bytes_a_number
        kept = min(1.0, MAX_BYTES / size) if size else 1.0
        looks = kept * len(found) + (1 - kept) * max(n_uses, len(found))
        return len(found), flops * looks / len(found) if found else 0.0


def forward(
    samples: Sequence[Sample], rows: Sequence[int], model: Model, *, n_logits: int
) -> float:
    """Operations of one pass over these samples, so long."""
    return forward_flops(
        model.language,
        n_sequences=len(rows),
        n_tokens=max(rows),
        n_logits=n_logits,
        n_seen=model.pictures.n_seen(samples),
    )
