"""How near images stand to their captions inside a language model, layer by layer.

What text-guided alignment (arXiv:2410.12662) changes, or does not. Shapes: B samples, T tokens,
D hidden.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmark.core.errors import NotOffered
from benchmark.core.roles import Start
from benchmark.core.samples import Sample
from benchmark.data import samples as tables
from benchmark.data.cards import load_card
from benchmark.progress import Reporter
from benchmark.stages.loaded import Loaded
from benchmark.stages.pools import load_pools
from benchmark.stages.resolve import Run, RunRequest, resolve
from benchmark.stages.shortage import shortage_in_one_line
from benchmark.stages.train import train
from benchmark.tables.figures.alignment import AlignmentByLayer, LayerCurves
from benchmark.training.losses import mean_over_tokens
from benchmark.vlm.model import VisionLanguageModel
from benchmark.vlm.perception import Perceptions

HELD_OUT = "test"
N_TOGETHER = 64


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """Mean cosines of one row at one layer (0: the embeddings): of images and their own captions,
    and of images and the captions of others. Where both are alike, nothing of what an image shows
    is in what is near."""

    row: str
    layer: int
    own: float
    others: float
    n: int


def nearness_of_rows(requests: Sequence[RunRequest], *, reporter: Reporter) -> list[Nearness]:
    """Each row's, trained if that is not done yet, on the held-out captioned samples of its suite;
    before a row that starts from an earlier checkpoint comes that checkpoint itself.

    Raises `NotOffered` for a suite without captioned images.
    """
    perceptions = Perceptions()
    found: list[Nearness] = []
    starts: set[Start] = set()
    for request in requests:
        run = resolve(replace(request, upto="train"))
        samples = held_out(run)
        loaded = Loaded(
            run.model_card,
            precision=run.spec.precision,
            device=run.spec.device,
            perceptions=perceptions,
        )
        start = run.method.starts_from
        if start != "target" and start not in starts:
            starts.add(start)
            found += nearness("before alignment", loaded.fresh(start), samples)
        with shortage_in_one_line(run.spec):
            artifact = train(run, pools=load_pools(run), loaded=loaded, reporter=reporter)
        model = loaded.unlearned(artifact.info.id, artifact.delta())
        found += nearness(run.spec.method, model, samples)
        loaded.drop()
    return found


def held_out(run: Run) -> list[Sample]:
    """Captioned samples that no method is trained on."""
    parts = run.suite.pools.get("train", {}).get("captioned")
    if parts is None or not parts.image:
        raise NotOffered(f"suite '{run.suite.name}' has no captioned images to compare")
    card = load_card(parts.image[0].card)
    return tables.load(card, HELD_OUT, images=run.images)


@torch.no_grad()
def nearness(row: str, model: VisionLanguageModel, samples: Sequence[Sample]) -> list[Nearness]:
    """One figure per layer. Others' captions are all that differ from an image's own."""
    layers = range(model.n_layers + 1)
    images, captions = [], []
    for start in range(0, len(samples), N_TOGETHER):
        group = samples[start : start + N_TOGETHER]
        told = [
            replace(sample, prompt=sample.caption or "", images=(), before_image=None)
            for sample in group
        ]
        images.append(_states(model, group, layers, of_images=True))
        captions.append(_states(model, told, layers, of_images=False))
    words = [sample.caption for sample in samples]
    differ_BB = torch.tensor([[one != other for other in words] for one in words])
    found = []
    for layer in layers:
        image_BD = torch.cat([states[layer] for states in images])
        caption_BD = torch.cat([states[layer] for states in captions])
        cosine_BB = F.normalize(image_BD, dim=-1) @ F.normalize(caption_BD, dim=-1).T
        found.append(
            Nearness(
                row=row,
                layer=layer,
                own=float(cosine_BB.diagonal().mean()),
                others=float(cosine_BB[differ_BB].mean()),
                n=len(samples),
            )
        )
    return found


def _states(
    model: VisionLanguageModel, samples: Sequence[Sample], layers: range, *, of_images: bool
) -> list[Tensor]:
    """`[B, D]` per layer: the mean state of image tokens, or of the user's own words."""
    view = model.view(samples)
    mask_BT = view.image_mask_BT if of_images else view.question_mask_BT
    trace = model.trace(view, hidden=layers)
    return [mean_over_tokens(trace.hidden[layer], mask_BT).float().cpu() for layer in layers]


def picture_of(found: Sequence[Nearness], *, title: str) -> AlignmentByLayer:
    """The same figures, drawn: one panel per row."""
    rows = [
        LayerCurves(
            label=row,
            own=tuple(figure.own for figure in found if figure.row == row),
            others=tuple(figure.others for figure in found if figure.row == row),
        )
        for row in dict.fromkeys(figure.row for figure in found)
    ]
    (n,) = {figure.n for figure in found}
    caption = (
        f"Mean state of an image's tokens against that of a caption's, {n} held-out pictures; "
        "layer 0 is the embeddings."
    )
    return AlignmentByLayer(title=title, caption=caption, rows=tuple(rows))


def as_csv(found: Sequence[Nearness]) -> str:
    """The figures behind the picture."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row", "layer", "own_caption", "other_captions", "n"])
    for figure in found:
        cosines = [f"{figure.own:.6f}", f"{figure.others:.6f}"]
        writer.writerow([figure.row, figure.layer, *cosines, figure.n])
    return stream.getvalue()
