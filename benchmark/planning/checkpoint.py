"""What a checkpoint's files say of it, read without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from benchmark.core.errors import UserError, first_line
from benchmark.cost.shapes import shape_of
from benchmark.models import ModelCard
from benchmark.models.shape import Shape
from benchmark.vlm.processors import load_processor


@dataclass(frozen=True)
class Described:
    """The config and the processor of a checkpoint that lies in a folder."""

    config: Any
    processor: Any

    def shape(self) -> Shape:
        """Its sizes. Raises `UserError` for a model, or a part of one, that is not known."""
        return shape_of(self.config, self.processor)


def described(folder: Path) -> Described:
    """Read them. Raises `UserError` for a checkpoint that cannot be read."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    # A damaged file is answered with whatever comes to the library.
    except Exception as error:
        raise UserError(f"{folder / 'config.json'}: {first_line(error)}") from error
    try:
        return Described(config, load_processor(folder))
    except Exception as error:
        raise UserError(
            f"the processor in {folder} cannot be loaded: {first_line(error)}"
        ) from error


def shape_of_card(card: ModelCard) -> Shape:
    """What a card says of a checkpoint that is not here. Raises `UserError` where it says none."""
    if card.shape is None:
        raise UserError(f"model '{card.name}' is not here and its card gives no shape")
    return card.shape
