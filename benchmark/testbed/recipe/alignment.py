"""Stage 4, first of all: the projector learns to put a patch where the words for it already are.

As the captions of a large model's alignment data do, but directly: a patch with a letter goes to
the embedding of that letter, a scene to the words that describe it, a motif to its category's
noun, an empty patch to padding. Only the projector learns, and the language model is not run.
Shape suffixes: B samples, P patches, D width, V vocabulary.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import torch
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from benchmark.testbed.grammar.pictures import scene_caption
from benchmark.testbed.images import Picture
from benchmark.testbed.lexicon import CATEGORIES
from benchmark.testbed.recipe.batches import normalised
from benchmark.testbed.recipe.sight import any_picture
from benchmark.testbed.tokenizer import PAD
from benchmark.testbed.world import World


def alignment_steps(
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    world: World,
    *,
    size: int,
    seed: str,
) -> Callable[[int, int], Iterator[Callable[[], torch.Tensor]]]:
    """The steps for `loop.minimise`: freshly drawn pictures every step."""
    embeddings_VD = model.get_input_embeddings().weight.detach()

    def steps(block: int, n_steps: int) -> Iterator[Callable[[], torch.Tensor]]:
        rng = random.Random(f"{seed} {block}")
        for _ in range(n_steps):
            pictures = [any_picture(rng, world) for _ in range(size)]
            yield lambda pictures=pictures: _loss(model, pictures, embeddings_VD, tokenizer)

    return steps


def _loss(
    model: LlavaForConditionalGeneration,
    pictures: list[Picture],
    embeddings_VD: torch.Tensor,
    tokenizer: PreTrainedTokenizerFast,
) -> torch.Tensor:
    """Squared distance to the words' embeddings, in units of the embeddings' own variance."""
    pixels_BCHW = normalised([picture.pixels_HWC for picture in pictures])
    with torch.no_grad():
        seen_BPD = model.model.vision_tower(pixels_BCHW).last_hidden_state[:, 1:]
    projected_BPD = model.model.multi_modal_projector(seen_BPD)
    wanted_BPD = torch.stack(
        [
            torch.stack([embeddings_VD[ids].sum(dim=0) for ids in _words(picture, tokenizer)])
            for picture in pictures
        ]
    )
    return (projected_BPD - wanted_BPD).square().mean() / embeddings_VD.var()


def _words(picture: Picture, tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """Per patch the ids of the words for it."""
    around = [tokenizer.convert_tokens_to_ids(PAD)]
    if picture.scene:
        around = tokenizer(scene_caption(picture.scene).rstrip("."))["input_ids"]
    elif picture.category:
        nouns = {category.name: category.noun for category in CATEGORIES}
        around = [tokenizer.convert_tokens_to_ids(nouns[picture.category])]
    words = []
    for row in picture.letters:
        for before, letter in zip(" " + row, row, strict=False):
            piece = letter if before == " " else f"##{letter}"
            words.append([tokenizer.convert_tokens_to_ids(piece)] if letter != " " else around)
    return words
