"""Stage 4, first of all: tower and projector learn to put a patch where the words for it are.

As the captions of a large model's alignment data do, but directly: a patch with a letter goes to
the embedding of that letter (one for the first of a word, one for the others), a scene to the
words that describe it, a motif to its category's noun, a page to the colour of its text, an empty
patch to padding. The language model is neither run nor changed.
Shape suffixes: B samples, P visual tokens, F features, D width, V vocabulary.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from benchmark.testbed.architectures import Architecture
from benchmark.testbed.grammar.pictures import scene_caption
from benchmark.testbed.images import Picture
from benchmark.testbed.items import World
from benchmark.testbed.lexicon import CATEGORIES
from benchmark.testbed.recipe.sight import ACTIVATION_PENALTY, any_picture
from benchmark.testbed.tokenizer import PAD

LETTER_WEIGHT = 4.0  # most patches are empty


def alignment_steps(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    world: World,
    *,
    architecture: Architecture,
    size: int,
    seed: str,
) -> Callable[[int, int], Iterator[Callable[[], torch.Tensor]]]:
    """The steps for `loop.minimise`: freshly drawn pictures every step."""
    embeddings_VD = model.get_input_embeddings().weight.detach()

    def steps(block: int, n_steps: int) -> Iterator[Callable[[], torch.Tensor]]:
        rng = random.Random(f"{seed} {block}")
        for _ in range(n_steps):
            pictures = [any_picture(rng, world) for _ in range(size)]
            yield partial(
                _loss, model, pictures, embeddings_VD, tokenizer, architecture=architecture
            )

    return steps


def _loss(
    model: Any,
    pictures: list[Picture],
    embeddings_VD: torch.Tensor,
    tokenizer: PreTrainedTokenizerFast,
    *,
    architecture: Architecture,
) -> torch.Tensor:
    """Squared distance to the words' embeddings, in units of the embeddings' own variance."""
    pixels = architecture.pixels([picture.pixels_HWC for picture in pictures])
    seen_BPF = architecture.seen(model, pixels)
    projected_BPD = architecture.projected(model, seen_BPF)
    wanted_BPD = torch.stack(
        [
            torch.stack([embeddings_VD[ids].sum(dim=0) for ids in _words(picture, tokenizer)])
            for picture in pictures
        ]
    )
    weights_BP = torch.tensor(
        [
            [1.0 if letter == " " else LETTER_WEIGHT for row in picture.letters for letter in row]
            for picture in pictures
        ]
    )
    distance_BP = (projected_BPD - wanted_BPD).square().mean(dim=-1) / embeddings_VD.var()
    # The tower's own penalty goes on, or its features would grow again.
    penalty = ACTIVATION_PENALTY * seen_BPF.square().mean()
    return (weights_BP * distance_BP).sum() / weights_BP.sum() + penalty


def _words(picture: Picture, tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """Per patch the ids of the words for it; the embeddings of several words are added up."""
    nouns = {category.name: category.noun for category in CATEGORIES}
    if picture.scene:
        around = scene_caption(picture.scene).rstrip(".").replace(" on the", "").split()
    elif picture.ink:
        around = [picture.ink]
    elif picture.category:
        around = [nouns[picture.category]]
    else:
        around = [PAD]
    words: list[list[str]] = []
    for row in picture.letters:
        for before, letter in zip(" " + row, row, strict=False):
            piece = letter if before == " " else f"##{letter}"
            words.append(around if letter == " " else [piece])
    return [[tokenizer.convert_tokens_to_ids(word) for word in patch] for patch in words]
