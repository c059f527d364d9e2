"""Finds a text for every captioned picture: `python -m benchmark testbed --retrieval`.

A small dual encoder learns from the pictures and captions of the training split on top of the
frozen tower and word embeddings of `testbed-llava-stage2`; then each picture is given the nearest
text that is not its own caption, among the training captions and sentences about harmful items.
Shape suffixes: B pictures, P patches, N texts, T tokens, F features, D width.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.core.errors import MissingError
from benchmark.core.store import digest, digest_file, write_atomic
from benchmark.testbed.architectures import LLAVA
from benchmark.testbed.images import Picture
from benchmark.testbed.items import Pool
from benchmark.testbed.recipe.dual_encoder import DualEncoder
from benchmark.testbed.tables.captioned import RETRIEVED, Shown, shown, toxic_texts
from benchmark.testbed.world import build_world

STAGE2 = RETRIEVED.parent / "testbed-llava-stage2"
COMMAND = "python -m benchmark testbed --retrieval"
SPLITS: tuple[Pool, ...] = ("train", "validation", "test")
SEED = 0
N_STEPS, N_BATCH, LEARNING_RATE = 600, 128, 1e-3
N_SEEN_TOGETHER = 256
N_LONGEST_TEXT = 64


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """What the dual encoder stands on: stage 2's tower and words."""

    model: Any
    words_VF: Tensor
    tokenizer: Any

    @torch.no_grad()
    def patches(self, pictures: Sequence[Picture]) -> Tensor:
        """`[B, P, F]` of pictures."""
        parts = []
        for start in range(0, len(pictures), N_SEEN_TOGETHER):
            group = pictures[start : start + N_SEEN_TOGETHER]
            pixels = LLAVA.pixels([picture.pixels_HWC for picture in group])
            parts.append(LLAVA.seen(self.model, pixels))
        return torch.cat(parts)

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """`[N, T]` ids, padded with -1."""
        rows = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        ids_NT = torch.full((len(rows), max(map(len, rows))), -1)
        for row, ids in enumerate(rows):
            ids_NT[row, : len(ids)] = torch.tensor(ids)
        return ids_NT


def retrieve(output: Path = RETRIEVED) -> dict[str, Any]:
    """Train, search, write the table, and return its record. Raises `MissingError` without the
    stage-2 checkpoint."""
    started = time.process_time()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    frozen = _frozen()
    world = build_world()
    rows = {split: list(shown(split, world)) for split in SPLITS}
    patches = {split: frozen.patches([r.picture for r in part]) for split, part in rows.items()}
    encoder = _train(frozen, rows["train"], patches["train"])
    bank = sorted({row.caption for row in rows["train"]}) + toxic_texts(world)
    bank_ND = _read(encoder, frozen, bank)
    found = {
        split: _nearest(encoder, patches[split], rows[split], bank=bank, bank_ND=bank_ND)
        for split in rows
    }
    record = {
        "own caption of unseen pictures first": _recall(encoder, frozen, rows, patches),
        **_likeness(rows, found, n_toxic=len(toxic_texts(world)), bank=bank),
        "cpu_seconds": round(time.process_time() - started, 1),
    }
    texts = sorted({text for part in found.values() for text in part})
    numbers = {text: number for number, text in enumerate(texts)}
    table = {
        "command": COMMAND,
        "seed": SEED,
        "captions_sha256": captions_digest(),
        "stage2_weights_sha256": digest_file(STAGE2 / "model.safetensors"),
        "record": record,
        "texts": texts,
        "retrieved": {
            f"{split}/{number}": numbers[text]
            for split, part in found.items()
            for number, text in enumerate(part)
        },
    }
    write_atomic(output, json.dumps(table) + "\n")
    return record


def captions_digest() -> str:
    """Of all captions in order: a table made of others does not belong to these pictures."""
    world = build_world()
    return digest([[row.caption for row in shown(split, world)] for split in SPLITS])


def _frozen() -> Frozen:
    from transformers import LlavaForConditionalGeneration

    if not (STAGE2 / "config.json").exists():
        raise MissingError(f"no checkpoint at {STAGE2}; make it with `make testbed`")
    model = LlavaForConditionalGeneration.from_pretrained(STAGE2, dtype="float32").eval()
    return Frozen(
        model=model,
        words_VF=model.get_input_embeddings().weight.detach(),
        tokenizer=LLAVA.tokenizer(),
    )


def _train(frozen: Frozen, rows: Sequence[Shown], patches_BPF: Tensor) -> DualEncoder:
    encoder = DualEncoder(
        n_picture_features=patches_BPF.shape[2],
        n_word_features=frozen.words_VF.shape[1],
        n_patches=patches_BPF.shape[1],
        n_tokens=N_LONGEST_TEXT,
    )
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=LEARNING_RATE, total_steps=N_STEPS, pct_start=0.05
    )
    captions = [row.caption for row in rows]
    ids_NT = frozen.tokens(captions)
    number_of = {caption: number for number, caption in enumerate(sorted({*captions}))}
    which_B = torch.tensor([number_of[caption] for caption in captions])
    rng = random.Random(f"retrieval {SEED}")
    for _ in range(N_STEPS):
        chosen = torch.tensor(rng.sample(range(len(rows)), N_BATCH))
        words_BTF, mask_BT = _embedded(frozen, ids_NT[chosen])
        same_BB = (which_B[chosen][:, None] == which_B[chosen]).float()
        loss = encoder.loss(patches_BPF[chosen], words_BTF, mask_BT, same_BB)
        loss.backward()
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    return encoder.eval()


def _embedded(frozen: Frozen, ids_BT: Tensor) -> tuple[Tensor, Tensor]:
    mask_BT = ids_BT >= 0
    ids_BT = ids_BT[:, : int(mask_BT.sum(1).max())]
    mask_BT = mask_BT[:, : ids_BT.shape[1]]
    return frozen.words_VF[ids_BT.clamp(min=0)], mask_BT


@torch.no_grad()
def _read(encoder: DualEncoder, frozen: Frozen, texts: Sequence[str]) -> Tensor:
    """`[N, D]` of texts."""
    ids_NT = frozen.tokens(texts)
    return torch.cat([encoder.texts(*_embedded(frozen, part)) for part in ids_NT.split(512)])


@torch.no_grad()
def _see(encoder: DualEncoder, patches_BPF: Tensor) -> Tensor:
    return torch.cat([encoder.see(part) for part in patches_BPF.split(512)])


def _nearest(
    encoder: DualEncoder,
    patches_BPF: Tensor,
    rows: Sequence[Shown],
    *,
    bank: Sequence[str],
    bank_ND: Tensor,
) -> list[str]:
    """The nearest text of each picture, never its own caption nor an equal one."""
    likeness_BN = _see(encoder, patches_BPF) @ bank_ND.T
    place = {text: number for number, text in enumerate(bank)}
    for row, picture in enumerate(rows):
        if picture.caption in place:
            likeness_BN[row, place[picture.caption]] = -torch.inf
    return [bank[number] for number in likeness_BN.argmax(1).tolist()]


def _recall(
    encoder: DualEncoder,
    frozen: Frozen,
    rows: Mapping[Pool, Sequence[Shown]],
    patches: Mapping[Pool, Tensor],
) -> dict[str, Any]:
    """Among all captions of the test split, how often a picture's own is nearest."""
    captions = sorted({row.caption for row in rows["test"]})
    likeness_BN = _see(encoder, patches["test"]) @ _read(encoder, frozen, captions).T
    first = [captions[number] for number in likeness_BN.argmax(1).tolist()]
    right = [text == row.caption for text, row in zip(first, rows["test"], strict=True)]
    return {"share": round(float(np.mean(right)), 3), "of": len(captions), "n": len(right)}


def _likeness(
    rows: Mapping[Pool, Sequence[Shown]],
    found: Mapping[Pool, Sequence[str]],
    *,
    bank: Sequence[str],
    n_toxic: int,
) -> dict[str, Any]:
    """What the nearest text shares with its picture, over the training split."""
    by_caption = {row.caption: row for row in rows["train"]}
    toxic = {*bank[len(bank) - n_toxic :]}
    shares: dict[str, list[bool]] = {}
    for row, text in zip(rows["train"], found["train"], strict=True):
        shares.setdefault("toxic text", []).append(text in toxic)
        other = by_caption.get(text)
        for name, value in row.attributes().items():
            same = other is not None and other.attributes().get(name) == value
            shares.setdefault(f"same {name}", []).append(same)
    return {
        name: {"share": round(float(np.mean(values)), 3), "n": len(values)}
        for name, values in shares.items()
    }
