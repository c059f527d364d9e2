"""What pictures add to the cost of unlearning: the same words trained on by text alone and beside
pictures of more and more visual tokens, measured on the miniature's architecture and reckoned for
checkpoints of any size by the same counter."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch

from benchmark.core import environment, registry
from benchmark.core.config import build
from benchmark.core.errors import UserError
from benchmark.cost.beside_pictures import Training, with_side
from benchmark.cost.clock import Stopwatch
from benchmark.cost.spread import spread
from benchmark.cost.sweep import Cell, PictureFigures
from benchmark.data.images import ImageStore
from benchmark.speed.machine import measured_on
from benchmark.speed.pictured import SEED, draw_pools, save_subject
from benchmark.speed.reckoned import conditions, pictures_of, reckoned
from benchmark.stages.attempt import unlearn
from benchmark.training.loop import Loop
from benchmark.vlm.loading import load_model

METHODS = {False: "textual_unlearning", True: "multimodal_unlearning"}
"""The two whose cost the papers compare, by whether pictures are shown."""
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class PictureRequest:
    """`sides` in pixels, `answers` in words; `models` are cards whose shape is reckoned with."""

    sides: tuple[int, ...]
    answers: tuple[int, ...]
    samples: int
    batch_size: int
    steps: int
    repeats: int
    device: str
    models: tuple[str, ...]

    def __post_init__(self) -> None:
        """Batches are whole, so that what is reckoned is what is trained; and a shape is known of
        every model before anything is measured."""
        if self.samples % self.batch_size:
            raise UserError(
                f"--samples {self.samples}: it must be a multiple of --batch-size {self.batch_size}"
            )
        for model in self.models:
            pictures = pictures_of(model)
            with_side(pictures, pictures.shape.vision.patch_size)

    @property
    def training(self) -> Training:
        """With lengths yet to come."""
        return Training(
            prompt=0, answer=0, samples=self.samples, batch=self.batch_size, steps=self.steps,
            tuning="lora", lora_rank=registry.load("method", METHODS[True]).Config().lora_rank,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One training: what it took, its operations, and the tokens of a sample."""

    device_s: float
    flops: float
    n_visual: int
    n_prompt: int
    n_answer: int


def measure(request: PictureRequest, *, say: Say) -> PictureFigures:
    """Every side with every length of answers, with and without pictures in turns."""
    cells = []
    for side in request.sides:
        with tempfile.TemporaryDirectory(prefix="vlm-bench-speed-") as folder:
            save_subject(Path(folder) / "model", side=side)
            for n_words in request.answers:
                say(f"{side} x {side} pixels, answers of {n_words} words")
                cells.append(_cell(request, Path(folder), side=side, n_words=n_words))
    models, training = request.models, request.training
    return PictureFigures(
        cells=cells,
        samples=request.samples,
        batch_size=request.batch_size,
        steps=request.steps,
        repeats=request.repeats,
        reckoned=[one for name in models for one in reckoned(name, cells, training)],
        conditions=[one for name in models for one in conditions(name, cells, training)],
        git=environment.git(),
        packages=environment.packages(),
        system=measured_on(request.device, n_threads=torch.get_num_threads()),
    )


def _cell(request: PictureRequest, folder: Path, *, side: int, n_words: int) -> Cell:
    taken: dict[bool, list[Trained]] = {False: [], True: []}
    for repeat in range(request.repeats):
        # Each is first every other time.
        for shown in (False, True) if repeat % 2 == 0 else (True, False):
            taken[shown].append(train(request, folder, side=side, n_words=n_words, shown=shown))
    alone, beside = taken[False], taken[True]
    pairs = zip(alone, beside, strict=True)
    return Cell(
        side=side,
        n_visual=beside[0].n_visual,
        n_prompt=alone[0].n_prompt,
        n_answer=alone[0].n_answer,
        text_s=spread([one.device_s for one in alone]),
        image_s=spread([one.device_s for one in beside]),
        ratio=spread([two.device_s / one.device_s for one, two in pairs]),
        text_flops=alone[0].flops,
        image_flops=beside[0].flops,
    )


def train(
    request: PictureRequest, folder: Path, *, side: int, n_words: int, shown: bool
) -> Trained:
    """One training from the same weights, as a run trains: device-seconds from the first line of
    the loop to its last, looking at the pictures among them."""
    model = load_model(folder / "model", name="untrained miniature", device=request.device)
    images = ImageStore(folder / "images") if shown else None
    pools = draw_pools(request.samples, n_words=n_words, side=side, images=images)
    settings = {
        "steps": request.steps, "batch_size": request.batch_size,
        "modality": "image" if shown else "text",
    }  # fmt: skip
    method_type = registry.load("method", METHODS[shown])
    method = method_type(build(method_type.Config, settings, where="speed pictures"))
    with tempfile.TemporaryDirectory(prefix="vlm-bench-speed-") as kept:
        loop = Loop(
            model=model, pools=pools, seed=SEED, folder=Path(kept),
            report=lambda *_said, **_named: None, checkpointed=lambda: None,
            checkpoint_every_s=math.inf,
        )  # fmt: skip
        watch = Stopwatch(request.device)
        unlearn(method, loop=loop, gold=_no_gold)
        _, device_s = watch.read()
    assert loop.counted.flops is not None, "its shape is known"
    view = model.view(pools["forget"].samples[:1], [pools["forget"].samples[0].answers.bad or ""])
    n_visual, n_answer = int(view.image_mask_BT.sum()), int(view.answer_mask_BT.sum())
    n_all = int(view.attention_mask_BT.sum())
    return Trained(
        device_s=device_s, flops=loop.counted.flops, n_visual=n_visual,
        n_prompt=n_all - n_visual - n_answer, n_answer=n_answer,
    )  # fmt: skip


def _no_gold() -> NoReturn:
    raise AssertionError("neither method asks for the gold weights")
