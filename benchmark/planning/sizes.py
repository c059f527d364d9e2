"""How long prompts and answers are in tokens: by the checkpoint's processor, or by rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from benchmark.core.samples import Sample
from benchmark.cost.lending import Lending
from benchmark.cost.pictures import Pictures
from benchmark.planning.checkpoint import Described
from benchmark.vlm.encoding import Encoder


class Sizes(Protocol):
    """Counts tokens."""

    def prompt(self, sample: Sample) -> int:
        """Of a prompt, those of its images among them."""
        ...

    def answer(self, text: str) -> int:
        """Of an answer, with the one that ends it."""
        ...


class ByProcessor:
    """Exact: with the tokenizer and template that the run will use."""

    def __init__(self, here: Described) -> None:
        self._encoder = Encoder(
            here.processor,
            image_token_id=here.config.image_token_id,
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
        return text + self.pictures.n_tokens([sample])

    def answer(self, text: str) -> int:
        """Its words."""
        return self._tokens(text) + 1

    def _tokens(self, text: str) -> int:
        return math.ceil(len(text) / self.characters_per_token)
