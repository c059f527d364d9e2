"""How long prompts and answers are in tokens: by the checkpoint's processor, or by rule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from PIL import Image

from benchmark.core.errors import UserError
from benchmark.core.samples import ImageFile, Sample
from benchmark.cost.lending import Lending
from benchmark.cost.pictures import Seen, seen
from benchmark.models.shape import Family, Shape
from benchmark.vlm.encoding import Encoder
from benchmark.vlm.processors import load_processor


class Sizes(Protocol):
    """Counts tokens."""

    def prompt(self, sample: Sample) -> int:
        """Of a prompt, those of its images among them."""
        ...

    def answer(self, text: str) -> int:
        """Of an answer, with the one that ends it."""
        ...


@dataclass(frozen=True)
class Pictures:
    """What becomes of pictures, whose sizes are read from their files."""

    family: Family
    shape: Shape
    _known: dict[str, Seen] = field(default_factory=dict)

    def seen(self, image: ImageFile) -> Seen:
        """One of them, read once; `UserError` where it cannot be."""
        if image.sha256 not in self._known:
            self._known[image.sha256] = self._read(image)
        return self._known[image.sha256]

    def _read(self, image: ImageFile) -> Seen:
        try:
            with Image.open(image.path) as picture:
                width, height = picture.size
        except OSError as error:
            raise UserError(f"image {image.path} cannot be read: {error}") from None
        return seen(self.family, self.shape.vision, width=width, height=height)


class ByProcessor:
    """Exact: with the tokenizer and template that the run will use."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoConfig

        try:
            processor = load_processor(folder)
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
        # The libraries answer a damaged file with whatever comes to them.
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"the processor in {folder} cannot be loaded: {reason}") from error
        self._encoder = Encoder(
            processor,
            image_token_id=config.image_token_id,
            lending=Lending("cpu"),
            types={},
        )

    def prompt(self, sample: Sample) -> int:
        """As it will be encoded."""
        (encoded,) = self._encoder.prompts([sample], strict=False)
        return len(encoded.prompt_ids)

    def answer(self, text: str) -> int:
        """As it will be encoded."""
        return len(self._encoder.answer(text))


@dataclass(frozen=True)
class ByRule:
    """Characters over characters a token, and the family's rule for pictures. What a template adds
    is not counted."""

    pictures: Pictures
    characters_per_token: float

    def prompt(self, sample: Sample) -> int:
        """Its words, and the visual tokens of its pictures."""
        words = (sample.system, sample.before_image, sample.prompt)
        text = sum(self._tokens(part) for part in words if part)
        return text + sum(self.pictures.seen(image).tokens for image in sample.images)

    def answer(self, text: str) -> int:
        """Its words."""
        return self._tokens(text) + 1

    def _tokens(self, text: str) -> int:
        return math.ceil(len(text) / self.characters_per_token)
