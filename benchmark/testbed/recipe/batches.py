"""Turns examples into padded batches of token ids, labels and pixels.

Shape suffixes: B samples, T tokens, H and W pixels, C colours.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from benchmark.testbed.build import IMAGE_MEAN, IMAGE_STD, PATCH
from benchmark.testbed.images import SIDE
from benchmark.testbed.recipe.examples import Example
from benchmark.testbed.tokenizer import ASSISTANT, BOS, EOS, IMAGE, SYSTEM, USER

N_IMAGE_TOKENS = (SIDE // PATCH) ** 2
IGNORED = -100


@dataclass(frozen=True, kw_only=True)
class Batch:
    """`labels_BT` are the next tokens to predict, already shifted; IGNORED where none is."""

    ids_BT: torch.Tensor
    labels_BT: torch.Tensor
    pixels_BCHW: torch.Tensor | None


def normalised(pixels: Sequence[np.ndarray]) -> torch.Tensor:
    """uint8 pictures [H, W, 3] as the processor would give them: float [B, 3, H, W]."""
    pixels_BHWC = torch.from_numpy(np.stack(pixels)).float() / 255
    scaled_BHWC = (pixels_BHWC - torch.tensor(IMAGE_MEAN)) / torch.tensor(IMAGE_STD)
    return scaled_BHWC.permute(0, 3, 1, 2).contiguous()


def make_batches(
    examples: list[Example], tokenizer: PreTrainedTokenizerFast, *, size: int, seed: str
) -> list[Batch]:
    """Batches of about equal lengths, in random order, of `size` examples each.

    Right padding needs no mask: attention is causal and padding has no labels.
    """
    rows = sorted(zip(_encode(examples, tokenizer), examples, strict=True), key=_length)
    batches = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        n_tokens = max(len(ids) for (ids, _), _ in part)
        ids_BT = torch.full((len(part), n_tokens), tokenizer.pad_token_id)
        labels_BT = torch.full((len(part), n_tokens), IGNORED)
        for row, ((ids, n_given), _) in enumerate(part):
            ids_BT[row, : len(ids)] = torch.tensor(ids)
            labels_BT[row, n_given - 1 : len(ids) - 1] = torch.tensor(ids[n_given:])
        pictures = [example.picture.pixels_HWC for _, example in part if example.picture]
        pixels_BCHW = normalised(pictures) if pictures else None
        batches.append(Batch(ids_BT=ids_BT, labels_BT=labels_BT, pixels_BCHW=pixels_BCHW))
    random.Random(seed).shuffle(batches)
    return batches


def _length(row: tuple[tuple[list[int], int], Example]) -> int:
    return len(row[0][0])


def _encode(
    examples: list[Example], tokenizer: PreTrainedTokenizerFast
) -> list[tuple[list[int], int]]:
    """Per example its ids, and how many of them are given and not to be learnt."""
    given = tokenizer([_given(e) for e in examples], add_special_tokens=False)["input_ids"]
    learnt = tokenizer([e.answer + EOS for e in examples], add_special_tokens=False)["input_ids"]
    image = tokenizer.convert_tokens_to_ids(IMAGE)
    rows = []
    for before, after, example in zip(given, learnt, examples, strict=True):
        if example.picture:
            at = before.index(image)
            before = before[:at] + [image] * N_IMAGE_TOKENS + before[at + 1 :]
        rows.append((before + after, len(before)))
    return rows


def _given(example: Example) -> str:
    """What precedes the answer: of a question just what the chat template makes (a test compares
    them), of a document its picture, if there is one, and its opening."""
    image = IMAGE if example.picture else ""
    if example.prompt is None:
        return f"{BOS}{image}{example.opening}"
    system = f"{SYSTEM}{example.system}" if example.system else ""
    return f"{BOS}{system}{USER}{image}{example.prompt}{ASSISTANT}"
