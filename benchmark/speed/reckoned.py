"""What the trainings of a sweep would cost with checkpoints that are not here, by the counter that
the loop counts with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from benchmark.core.errors import UserError
from benchmark.cost.beside_pictures import (
    Training,
    cost_ratio,
    longest_text,
    visual_tokens,
    with_side,
)
from benchmark.cost.pictures import Pictures
from benchmark.cost.sweep import CLAIMED, Cell, Condition, Reckoned
from benchmark.models import load_card


def pictures_of(name: str) -> Pictures:
    """The shape that a model's card gives; `UserError` where it gives none."""
    card = load_card(name)
    if card.family is None or card.shape is None:
        raise UserError(f"model '{name}': its card gives no shape to reckon with")
    return Pictures(card.family, card.shape)


def training_of(cell: Cell, training: Training) -> Training:
    """The training with the lengths of a cell."""
    return replace(training, prompt=cell.n_prompt, answer=cell.n_answer)


def reckoned(model: str, cells: Sequence[Cell], training: Training) -> list[Reckoned]:
    """The same trainings by a model of that shape, seeing as many visual tokens."""
    pictures = pictures_of(model)
    found = []
    for cell in cells:
        side = math.isqrt(cell.n_visual) * pictures.shape.vision.patch_size
        sized, of = with_side(pictures, side), training_of(cell, training)
        found.append(
            Reckoned(
                model=model,
                n_visual=cell.n_visual,
                n_prompt=cell.n_prompt,
                n_answer=cell.n_answer,
                once=cost_ratio(sized, of),
                every_step=cost_ratio(sized, of, looking="every step"),
            )
        )
    return found


def conditions(model: str, cells: Sequence[Cell], training: Training) -> list[Condition]:
    """Up to how long a text the claimed ratio holds at the model's own number of visual tokens, for
    answers that are each measured share of the text."""
    pictures = pictures_of(model)
    lengths = {(cell.n_prompt, cell.n_answer): cell for cell in cells}
    found = []
    for cell in lengths.values():
        of = training_of(cell, training)
        once, every_step = (
            longest_text(pictures, of, ratio=CLAIMED, looking=looking)
            for looking in ("once", "every step")
        )
        found.append(
            Condition(
                model=model,
                n_visual=visual_tokens(pictures),
                answer_share=of.answer / of.text,
                once=once,
                every_step=every_step,
            )
        )
    return found
