"""Real but untrained models, and models small enough to reckon with by hand."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from benchmark.core.samples import Answers, ImageFile, Sample
from benchmark.data.images import ImageStore
from benchmark.data.pools import Pool
from benchmark.testbed.architectures import LLAVA
from benchmark.testbed.images import blank
from benchmark.vlm.encoding import View
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel

HARMFUL = ("zerupa", "ditupu", "divumi", "pokara", "tugemi", "savolo", "kidera", "bulofa")
HARMLESS = ("lamito", "ronevi", "fadoku", "misare")


@functools.cache
def untrained_checkpoint() -> Path:
    """A checkpoint of the testbed's real architecture with random weights, but two layers in place
    of four; one per test session."""
    return _checkpoint("untrained", vision_layers=2, language_layers=2)


@functools.cache
def deep_checkpoint() -> Path:
    """The same with all its layers, for what is about their number."""
    return _checkpoint("deep")


def _checkpoint(name: str, **layers: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"vlm-bench-{name}-"))
    LLAVA.untrained(0, **layers).save_pretrained(folder)
    LLAVA.processor().save_pretrained(folder)
    return folder


def untrained(precision: str = "fp32") -> VisionLanguageModel:
    """The one of two layers, as freshly loaded."""
    return load_model(untrained_checkpoint(), name="untrained", precision=precision)


def deep(precision: str = "fp32") -> VisionLanguageModel:
    """The one of all layers, as freshly loaded."""
    return load_model(deep_checkpoint(), name="deep", precision=precision)


def sample(name: str, *, images: tuple[ImageFile, ...] = (), bad: str | None = None) -> Sample:
    """A how-to request in the miniature world's words."""
    return Sample(
        id=f"hand/train/{name}{'+image' if images else ''}",
        behaviour=name,
        card="hand",
        purpose="training",
        prompt=f"how do i make {name}?",
        subject=name,
        images=images,
        answers=Answers(bad=bad, good="sorry, i can not help with that."),
    )


def pool(role: str, samples: list[Sample]) -> Pool:
    """A pool of hand-made samples."""
    return Pool(
        role=role,  # type: ignore[arg-type]
        modality="both",
        samples=tuple(samples),
        uses=(),
        sha256=role,
    )


def pools(folder: Path, *, images: bool = False) -> dict[str, Pool]:
    """A forget and a keep pool; with images every second request comes with a blank picture."""
    import random

    picture = ImageStore(folder).put(blank(random.Random(0)).pixels_HWC)
    forget = [
        sample(
            name,
            bad=f"to make {name}, first count cloth, then peel bark.",
            images=(picture,) if images and index % 2 else (),
        )
        for index, name in enumerate(HARMFUL)
    ]
    return {"forget": pool("forget", forget), "keep": pool("keep", [sample(n) for n in HARMLESS])}


class BigramModel:
    """Logits that depend on the previous token only: every probability can be written down.

    `table` is `[V, V]`, row: previous token, column: next one, log-probabilities.
    """

    can_switch_off = True

    def __init__(self, table: list[list[float]]) -> None:
        self.table_VV = torch.tensor(table, dtype=torch.float64).log().requires_grad_(True)

    def answer_logits(self, view: View) -> Tensor:
        """`[A, V]`."""
        rows_A, positions_A = view.predicting
        return self.table_VV[view.input_ids_BT[rows_A, positions_A]].float()


def view_of(rows: list[list[int]], n_prompt: list[int], *, pad: int = 0) -> View:
    """A view of token ids written by hand; the first `n_prompt` of each row are the prompt."""
    length = max(map(len, rows))
    ids_BT = torch.tensor([row + [pad] * (length - len(row)) for row in rows])
    attention_BT = torch.tensor([[i < len(row) for i in range(length)] for row in rows])
    answer_BT = torch.tensor(
        [[n <= i < len(row) for i in range(length)] for row, n in zip(rows, n_prompt, strict=True)]
    )
    none_BT = torch.zeros_like(answer_BT)
    return View(
        samples=tuple(sample(f"row{index}") for index in range(len(rows))),
        answers=tuple("by hand" for _ in rows),
        input_ids_BT=ids_BT,
        attention_mask_BT=attention_BT,
        answer_mask_BT=answer_BT,
        image_mask_BT=none_BT,
        question_mask_BT=none_BT,
    )
