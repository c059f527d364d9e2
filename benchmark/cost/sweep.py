"""What pictures add to the cost of unlearning, as figures that can be kept (`speed pictures`)."""

from __future__ import annotations

from pydantic import Field

from benchmark.core.records import Git, System
from benchmark.core.verdicts import Stored
from benchmark.cost.spread import Spread

CLAIMED = 6.0
"""Times as much as text alone: what Chakraborty et al. 2024 (arXiv:2406.02575) say multimodal
unlearning costs at most."""


class Cell(Stored):
    """Samples of one length, trained on by text alone and beside pictures. Seconds are of a device
    for the whole training; `n_prompt` are all tokens before the answer but visual ones."""

    side: int
    n_visual: int = Field(ge=1)
    n_prompt: int = Field(ge=1)
    n_answer: int = Field(ge=1)
    text_s: Spread
    image_s: Spread
    ratio: Spread
    """Of device-seconds, turn by turn."""
    text_flops: float
    image_flops: float

    @property
    def image_to_text(self) -> float:
        """Visual tokens for each token of text."""
        return self.n_visual / (self.n_prompt + self.n_answer)

    @property
    def flops_ratio(self) -> float:
        """As the loop counted them."""
        return self.image_flops / self.text_flops


class Reckoned(Stored):
    """The ratio of operations for a checkpoint that was not run, by the counter that the loop
    counts with: where features of pictures are kept, and where the tower looks at every step."""

    model: str
    n_visual: int
    n_prompt: int
    n_answer: int
    once: float
    every_step: float


class Condition(Stored):
    """Up to so many tokens of text a sample the claimed ratio holds for a checkpoint at its own
    number of visual tokens; None where it holds for none."""

    model: str
    n_visual: int
    answer_share: float
    once: int | None
    every_step: int | None


class PictureFigures(Stored):
    """A whole sweep, with all that is needed to repeat it."""

    cells: list[Cell]
    samples: int
    batch_size: int
    steps: int
    repeats: int
    reckoned: list[Reckoned]
    conditions: list[Condition]
    git: Git
    packages: dict[str, str]
    system: System
