"""Turns examples into padded batches of token ids, labels and pixels.

Shape suffixes: B samples, T tokens.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from benchmark.testbed.architectures import N_IMAGE_TOKENS, Architecture
from benchmark.testbed.recipe.examples import Example
from benchmark.testbed.tokenizer import ASSISTANT, BOS, EOS, SYSTEM, USER

IGNORED = -100


@dataclass(frozen=True, kw_only=True)
class Batch:
    """`labels_BT` are the next tokens to predict, already shifted; IGNORED where none is.
    `pictures` are further inputs of the model, by name; none where nothing is shown."""

    ids_BT: torch.Tensor
    labels_BT: torch.Tensor
    pictures: dict[str, torch.Tensor]


def make_batches(
    examples: list[Example],
    tokenizer: PreTrainedTokenizerFast,
    *,
    architecture: Architecture,
    size: int,
    seed: str,
) -> list[Batch]:
    """Batches of about equal lengths, in random order, of `size` examples each.

    Right padding needs no mask: attention is causal and padding has no labels.
    """
    encoded = _encode(examples, tokenizer, architecture)
    rows = sorted(zip(encoded, examples, strict=True), key=_length)
    batches = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        n_tokens = max(len(ids) for (ids, _), _ in part)
        ids_BT = torch.full((len(part), n_tokens), tokenizer.pad_token_id)
        labels_BT = torch.full((len(part), n_tokens), IGNORED)
        for row, ((ids, n_given), _) in enumerate(part):
            ids_BT[row, : len(ids)] = torch.tensor(ids)
            labels_BT[row, n_given - 1 : len(ids) - 1] = torch.tensor(ids[n_given:])
        shown = [example.picture.pixels_HWC for _, example in part if example.picture]
        pictures = architecture.pixels(shown) | architecture.marks(ids_BT) if shown else {}
        batches.append(Batch(ids_BT=ids_BT, labels_BT=labels_BT, pictures=pictures))
    random.Random(seed).shuffle(batches)
    return batches


def _length(row: tuple[tuple[list[int], int], Example]) -> int:
    return len(row[0][0])


def _encode(
    examples: list[Example], tokenizer: PreTrainedTokenizerFast, architecture: Architecture
) -> list[tuple[list[int], int]]:
    """Per example its ids, and how many of them are given and not to be learnt."""
    told = [_given(example, architecture.image_text) for example in examples]
    given = tokenizer(told, add_special_tokens=False)["input_ids"]
    learnt = tokenizer([e.answer + EOS for e in examples], add_special_tokens=False)["input_ids"]
    image = tokenizer.convert_tokens_to_ids(architecture.image_token)
    rows = []
    for before, after, example in zip(given, learnt, examples, strict=True):
        if example.picture:
            at = before.index(image)
            before = before[:at] + [image] * N_IMAGE_TOKENS + before[at + 1 :]
        rows.append((before + after, len(before)))
    return rows


def _given(example: Example, image_text: str) -> str:
    """What precedes the answer: of a question just what the chat template makes (a test compares
    them), of a document its picture, if there is one, and its opening."""
    image = image_text if example.picture else ""
    if example.prompt is None:
        return f"{BOS}{image}{example.opening}"
    system = f"{SYSTEM}{example.system}" if example.system else ""
    return f"{BOS}{system}{USER}{image}{example.prompt}{ASSISTANT}"
