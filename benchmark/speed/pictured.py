"""What is trained on with and without pictures: a miniature that sees pictures of any size, and
samples that are all as long as one another."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from transformers import LlavaForConditionalGeneration
from transformers.utils import logging as transformers_logging

from benchmark.core.errors import UserError
from benchmark.core.roles import PoolRole
from benchmark.core.samples import Answers, Sample
from benchmark.data.images import ImageStore
from benchmark.data.pools import Pool
from benchmark.testbed.architectures import LLAVA
from benchmark.testbed.grammar.vocabulary import grammar_words

PROMPT_WORDS = 16
N_CONTEXT = 1024
SEED = 0


def save_subject(folder: Path, *, side: int) -> None:
    """Write an untrained miniature that sees pictures of so many pixels a side."""
    transformers_logging.disable_progress_bar()
    config = LLAVA.untrained(SEED).config
    patch = config.vision_config.patch_size
    if side < patch or side % patch:
        raise UserError(f"--sides {side}: no whole number of patches of {patch} pixels")
    config.vision_config.image_size = side
    config.image_seq_length = (side // patch) ** 2
    config.text_config.max_position_embeddings = N_CONTEXT
    torch.manual_seed(SEED)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    processor = LLAVA.processor()
    processor.image_processor.size = {"shortest_edge": side}
    processor.image_processor.crop_size = {"height": side, "width": side}
    processor.tokenizer.model_max_length = N_CONTEXT
    processor.save_pretrained(folder)


def draw_pools(
    n_samples: int, *, n_words: int, side: int, images: ImageStore | None
) -> dict[str, Pool]:
    """A forget and a keep pool of requests and answers, all of as many words, each with a picture
    of its own where there is a store for them."""
    pools: dict[str, Pool] = {}
    roles: tuple[PoolRole, ...] = ("forget", "keep")
    for role in roles:
        rng = random.Random(f"{SEED} {role}")
        pools[role] = Pool(
            role=role,
            modality="text" if images is None else "image",
            samples=tuple(
                _sample(f"{role}-{number}", rng, n_words=n_words, side=side, images=images)
                for number in range(n_samples)
            ),
            uses=(),
            sha256=role,
        )
    return pools


def _sample(
    name: str, rng: random.Random, *, n_words: int, side: int, images: ImageStore | None
) -> Sample:
    # Drawn either way, so that the words are the same beside a picture.
    pixels = np.frombuffer(rng.randbytes(side * side * 3), dtype=np.uint8).reshape(side, side, 3)
    prompt, bad, good = (_words(rng, n) for n in (PROMPT_WORDS, n_words, n_words))
    return Sample(
        id=f"speed/train/{name}",
        behaviour=name,
        card="speed",
        purpose="training",
        prompt=prompt,
        images=(images.put(pixels),) if images is not None else (),
        answers=Answers(bad=bad, good=good),
    )


def _words(rng: random.Random, n: int) -> str:
    """Words that are one token each; names would be spelled."""
    return " ".join(rng.choices(grammar_words(), k=n))
