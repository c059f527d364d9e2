"""What an unlearning training costs beside pictures and without them, from shapes alone.

The loss is that of textual and multimodal unlearning (Chakraborty et al. 2024, arXiv:2406.02575;
`benchmark/training/unlearning.py`): in a step three views are trained on, of harmful requests with
two answers and of harmless ones with one, and the untouched model is asked once about each harmless
sample. Requests and answers are the same words with pictures and without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.core.errors import UserError
from benchmark.cost.flops import forward_flops, image_flops, training_flops
from benchmark.cost.pictures import Pictures, Seen

VIEWS = 3
"""Trained on in a step: harm, helpful and utility."""
POOLS = 2
LONGEST_TEXT = 4096
Looking = Literal["once", "every step"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How much is trained, and on samples of what lengths. `prompt` counts all tokens before the
    answer but visual ones, `answer` those that are predicted; `samples` are of each of two pools,
    `batch` of each in a step."""

    prompt: int
    answer: int
    samples: int
    batch: int
    steps: int
    tuning: str
    lora_rank: int

    @property
    def text(self) -> int:
        """Tokens of a sample that are no visual ones."""
        return self.prompt + self.answer


def with_side(pictures: Pictures, pixels: int) -> Pictures:
    """The same model made for square pictures of so many pixels a side. `UserError` for a family
    whose visual tokens do not follow from that, or a side that is no whole number of patches."""
    shape, patch = pictures.shape, pictures.shape.vision.patch_size
    if pictures.family != "llava":
        raise UserError(
            f"how many visual tokens a side makes is known of llava here, not {pictures.family}"
        )
    if pixels < patch or pixels % patch:
        raise UserError(f"{pixels} pixels a side are no whole number of patches of {patch}")
    vision = shape.vision.model_copy(update={"image_size": pixels})
    return Pictures(pictures.family, shape.model_copy(update={"vision": vision}))


def visual_tokens(pictures: Pictures) -> int:
    """Of one picture of the size that the model is made for, in the language model's sequence."""
    return _seen(pictures).tokens


def _seen(pictures: Pictures) -> Seen:
    side = pictures.shape.vision.image_size
    return pictures.of_size(side, side)


def unlearning_flops(
    pictures: Pictures, of: Training, *, shown: bool, looking: Looking = "once"
) -> float:
    """Operations of the whole training, with a picture beside every request where they are `shown`.
    Pictures are looked at `once` and their features kept, as the loop here does under a frozen
    tower, or at `every step` anew, in every view, as the usual code does."""
    n_visual = visual_tokens(pictures) if shown else 0
    language, length = pictures.shape.language, n_visual + of.text
    step = VIEWS * training_flops(
        language, n_sequences=of.batch, n_tokens=length, n_logits=of.batch * of.answer,
        tuning=of.tuning, lora_rank=of.lora_rank,
    )  # fmt: skip
    reference = forward_flops(
        pictures.shape.language,
        n_sequences=of.samples,
        n_tokens=length,
        n_logits=of.samples * of.answer,
    )
    return of.steps * step + reference + _looking(pictures, of, shown=shown, looking=looking)


def _looking(pictures: Pictures, of: Training, *, shown: bool, looking: Looking) -> float:
    if not shown:
        return 0.0
    each = image_flops(pictures.family, pictures.shape, _seen(pictures))
    if looking == "once":
        return POOLS * of.samples * each
    # The reference looks too, at each harmless sample once.
    return (VIEWS * of.batch * of.steps + of.samples) * each


def cost_ratio(pictures: Pictures, of: Training, *, looking: Looking = "once") -> float:
    """Operations beside pictures over those by text alone."""
    with_pictures = unlearning_flops(pictures, of, shown=True, looking=looking)
    return with_pictures / unlearning_flops(pictures, of, shown=False)


def longest_text(
    pictures: Pictures, of: Training, *, ratio: float, looking: Looking = "once"
) -> int | None:
    """The most text tokens of a sample at which pictures still make the training cost `ratio` times
    as much, its answer the same share of them as in `of`; None where not even the shortest does.
    The ratio falls as texts grow, so that it is found by halving."""

    def reaches(text: int) -> bool:
        answer = max(1, round(text * of.answer / of.text))
        longer = Training(
            prompt=text - answer, answer=answer, samples=of.samples, batch=of.batch,
            steps=of.steps, tuning=of.tuning, lora_rank=of.lora_rank,
        )  # fmt: skip
        return cost_ratio(pictures, longer, looking=looking) >= ratio

    low, high = 2, LONGEST_TEXT
    if not reaches(low):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reaches(middle) else (low, middle)
    return low
