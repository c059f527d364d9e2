"""What the recipe asks of an architecture; the world, the stages and their order know nothing else.

Shape suffixes: B pictures, P visual tokens, F features of one as the projector takes them, D width
of the language model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedTokenizerFast

from benchmark.testbed.images import N_CELLS
from benchmark.testbed.tokenizer import BOS, EOS, PAD, build_tokenizer, vocabulary

# Of the language model, alike in all of them.
WIDTH, LAYERS, HEADS = 192, 4, 6
N_CONTEXT = 256
IMAGE_MEAN = IMAGE_STD = (0.5, 0.5, 0.5)
# One visual token for every cell of a picture, so that each sees one character at most.
N_IMAGE_TOKENS = N_CELLS**2
MAX_NEW_TOKENS = 32


class Architecture(ABC):
    """One way to join a vision tower and a language model: ordinary transformers classes, small.

    `image_text` is what a chat template writes where a picture is, with `image_token` in it once;
    `more_tokens` come after the words of the vocabulary. `n_features` is F.
    """

    name: ClassVar[str]
    described: ClassVar[str]
    image_token: ClassVar[str]
    image_text: ClassVar[str]
    more_tokens: ClassVar[tuple[str, ...]] = ()
    tower_layers: ClassVar[int]
    n_features: ClassVar[int]

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Tokens and their ids."""
        return vocabulary(self.image_token, self.more_tokens)

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """With the chat template of this architecture."""
        return build_tokenizer(
            image_token=self.image_token, image_text=self.image_text, more=self.more_tokens
        )

    def untrained(
        self, seed: int, *, vision_layers: int | None = None, language_layers: int = LAYERS
    ) -> Any:
        """A randomly initialised model with greedy generation settings, in fp32."""
        torch.manual_seed(seed)
        model = self._random(vision_layers or self.tower_layers, language_layers)
        ids = self.vocabulary
        model.generation_config = GenerationConfig(
            do_sample=False,
            max_new_tokens=MAX_NEW_TOKENS,
            pad_token_id=ids[PAD],
            bos_token_id=ids[BOS],
            eos_token_id=ids[EOS],
        )
        return model

    def parts(self, model: Any) -> dict[str, nn.Module]:
        """What stages train, by name: the language model without its head, the head, the tower
        without what projects, and the projector."""
        return {
            "language_model": model.model.language_model,
            "lm_head": model.lm_head,
            "vision_tower": self.tower(model),
            "projector": self.projector(model),
        }

    def reset_projector(self, model: Any, seed: int) -> None:
        """Give the model a fresh, untrained projector in place."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, weight in self.projector(model).named_parameters():
                if name.endswith("bias"):
                    weight.zero_()
                elif weight.ndim == 1:
                    weight.fill_(1.0)  # of a norm
                else:
                    weight.normal_(0.0, 0.02, generator=generator)

    @abstractmethod
    def processor(self) -> Any:
        """The processor that turns messages and pictures into model inputs."""

    @abstractmethod
    def tower(self, model: Any) -> nn.Module:
        """The vision tower's parameters, none of the projector's among them."""

    @abstractmethod
    def projector(self, model: Any) -> nn.Module:
        """What brings the tower's features to the width of the language model."""

    @abstractmethod
    def pixels(self, pictures_HWC: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Model inputs of uint8 pictures of the world's size, as the processor would give them."""

    @abstractmethod
    def marks(self, ids_BT: Tensor) -> dict[str, Tensor]:
        """What the model wants to be told of tokens beside their ids, where there are pictures."""

    @abstractmethod
    def seen(self, model: Any, pixels: dict[str, Tensor]) -> Tensor:
        """The tower's features `[B, P, F]`, visual tokens row by row."""

    @abstractmethod
    def projected(self, model: Any, seen_BPF: Tensor) -> Tensor:
        """`[B, P, D]` of the tower's features."""

    @abstractmethod
    def _random(self, vision_layers: int, language_layers: int) -> Any: ...


def normalised(pictures_HWC: Sequence[np.ndarray]) -> Tensor:
    """uint8 pictures [H, W, 3] as floats `[B, 3, H, W]` around zero."""
    pixels_BHWC = torch.from_numpy(np.stack(pictures_HWC)).float() / 255
    scaled_BHWC = (pixels_BHWC - torch.tensor(IMAGE_MEAN)) / torch.tensor(IMAGE_STD)
    return scaled_BHWC.permute(0, 3, 1, 2).contiguous()
