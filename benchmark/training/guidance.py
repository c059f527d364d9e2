"""Text-guided alignment's shared part: its settings, its data, its terms and its two phases.

Xu et al. 2024, arXiv:2410.12662: at every decoder layer the mean state of an image's tokens (I) is
pulled to that of its caption's (C), and closer to it than the mean state of a retrieved text's
tokens (R) is. Shapes: B samples, T tokens, D hidden, L layers that are guided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmark.api import (
    Count,
    Job,
    PoolBatch,
    PoolModality,
    PoolRole,
    Positive,
    Ramp,
    Role,
    TrainingConfig,
    Tuning,
    VisionLanguageModel,
    Weight,
)
from benchmark.core.errors import UserError
from benchmark.data.pools import Pool
from benchmark.training.losses import mean_over_tokens, nll, token_logprob
from benchmark.training.reference import without_dropout
from benchmark.vlm.encoding import View

Preset = Literal["paper", "release_intended", "release_literal"]
OverLayers = Literal["sum", "mean"]

GUIDED_POOLS: tuple[PoolRole, ...] = ("captioned", "keep", "forget")
MODALITIES: dict[PoolRole, PoolModality] = {"captioned": "image", "keep": "both", "forget": "text"}
"""Harmless images with captions, all harmless instructions, and toxic requests in text only."""
GUIDANCE = ("pair", "hinge")
# The release guides hidden states 10 to 18 of 32 layers.
RELEASE_DEPTHS = (10 / 32, 18 / 32)
# What the release multiplies its terms by at step 0, and the power of (1 - t) that lets them go.
RELEASE_FACTORS = {"pair": (0.25, 1.0), "hinge": (0.1, 2.0)}


@dataclass(frozen=True, kw_only=True)
class GuidedConfig(TrainingConfig):
    """Settings of the guidance. `weights` of the guidance are in units of the preset's own."""

    preset: Preset = "paper"
    over_layers: OverLayers = "sum"
    """How the preset `paper` adds up its layers; the release takes the mean of its own."""
    guidance: Positive = 1.0
    """A factor on both terms of the guidance, for searches."""
    weights: Mapping[str, Weight] = field(
        default_factory=lambda: {"answer": 1.0, "instruct": 1.0, "pair": 1.0, "hinge": 1.0}
    )

    def __post_init__(self) -> None:
        """The release's presets have ramps of their own."""
        super().__post_init__()
        for name in GUIDANCE:
            if self.preset != "paper" and isinstance(self.weights.get(name), Ramp):
                raise ValueError(f"weights.{name}: preset {self.preset} brings its own ramp")


@dataclass(frozen=True, kw_only=True)
class AlignmentConfig(GuidedConfig):
    """Settings of an alignment training in two phases: projector, then projector and language."""

    trains: Mapping[Role, Tuning] = field(
        default_factory=lambda: {"projector": "full", "language": "full"}
    )
    steps: Count = 100
    batch_size: Count = 16
    learning_rate: Positive = 1e-3
    projector_steps: Count = 40
    projector_batch_size: Count = 24
    projector_learning_rate: Positive = 1e-2


def align(job: Job, config: AlignmentConfig) -> None:
    """Both phases: the projector alone on images with their captions, then projector and language
    model on all pools. Raises `UserError` for a captioned sample without caption or retrieved text,
    `NotOffered` for a model without visual tokens among its words."""
    job.model.check_visual_tokens()
    job.minimise(
        lambda model, batch, _: guided_terms(model, batch["captioned"], config=config),
        config=replace(
            config,
            trains={"projector": "full"},
            weights=weights_of(config, names=("answer", *GUIDANCE)),
            steps=config.projector_steps,
            batch_size=config.projector_batch_size,
            learning_rate=config.projector_learning_rate,
        ),
        phase="projector",
        pools={"captioned": plain(job.pools["captioned"])},
        reference=False,
    )
    tune(job, config)


def tune(job: Job, config: GuidedConfig) -> None:
    """The main phase, on all pools; `config.trains` says what moves. Toxic requests stand among
    the instructions, in the shares of the pools, as they do in the paper's data. Raises as `align`
    does."""
    job.model.check_visual_tokens()
    keep, forget = job.pools["keep"], job.pools["forget"]
    job.minimise(
        lambda model, batch, _: (
            guided_terms(model, batch["captioned"], config=config)
            | {"instruct": nll(model, batch["instruct"].answering("good"))}
        ),
        config=replace(config, weights=weights_of(config, names=tuple(config.weights))),
        pools={
            "captioned": with_retrieved_texts(job.pools["captioned"]),
            "instruct": replace(keep, samples=keep.samples + forget.samples),
        },
        reference=False,
    )


def plain(pool: Pool) -> Pool:
    """The pool as the projector learns from it: an image and its caption, with no other words.

    Raises `UserError` as `with_retrieved_texts` does.
    """
    _check(pool)
    shown = tuple(
        replace(sample, prompt="", answers=replace(sample.answers, good=sample.caption))
        for sample in pool.samples
    )
    return replace(pool, samples=shown)


def with_retrieved_texts(pool: Pool) -> Pool:
    """The pool as projector and language model learn from it: each retrieved text stands before
    its image. Raises `UserError` naming the pool and the first sample without caption or text."""
    _check(pool)
    told = tuple(replace(sample, before_image=sample.retrieved) for sample in pool.samples)
    return replace(pool, samples=told)


def _check(pool: Pool) -> None:
    for sample in pool.samples:
        for name in ("caption", "retrieved"):
            if not getattr(sample, name):
                raise UserError(
                    f"pool '{pool.role}': sample '{sample.id}' has no {name}; text-guided "
                    "alignment needs captioned images with retrieved texts"
                )


def weights_of(config: GuidedConfig, *, names: Sequence[str]) -> dict[str, Weight]:
    """The loop's weights of these terms: of the guidance, the preset's own factors and ramps times
    what the settings say."""
    weights = {name: config.weights[name] for name in names}
    for name in GUIDANCE:
        weight = weights[name]
        if config.preset == "paper":
            weights[name] = _times(weight, config.guidance)
            continue
        assert not isinstance(weight, Ramp), "refused when the settings were made"
        start, power = RELEASE_FACTORS[name]
        weights[name] = Ramp(start=start * weight * config.guidance, end=0.0, power=power)
    return weights


def _times(weight: Weight, factor: float) -> Weight:
    if isinstance(weight, Ramp):
        return replace(weight, start=weight.start * factor, end=weight.end * factor)
    return weight * factor


def guided_terms(
    model: VisionLanguageModel, batch: PoolBatch, *, config: GuidedConfig
) -> dict[str, Tensor]:
    """`answer`, `pair` and `hinge` of captioned images, all from one pass over them."""
    view = batch.answering("good")
    layers = layers_of(config.preset, model.n_layers)
    trace = model.trace(view, hidden=layers, to_the_end=True)
    assert trace.final is not None, "it went to the end"
    logprob_A = token_logprob(model.answer_logits_of(view, trace.final), view.targets_A)
    captions = _read(model, batch, [sample.caption or "" for sample in batch.samples], layers)
    if batch.samples[0].before_image is not None:
        retrieved_BT = retrieved_mask(model, view)
        retrieved = [mean_over_tokens(trace.hidden[layer], retrieved_BT) for layer in layers]
    else:
        # Words that come first are the same with and without what follows them.
        retrieved = _read(
            model, batch, [sample.retrieved or "" for sample in batch.samples], layers
        )
    cosines = [
        cosines_of(
            image_BD=mean_over_tokens(trace.hidden[layer], view.image_mask_BT),
            caption_BD=caption_BD,
            retrieved_BD=retrieved_BD,
        )
        for layer, caption_BD, retrieved_BD in zip(layers, captions, retrieved, strict=True)
    ]
    with_caption_LB = torch.stack([image for image, _ in cosines])
    of_retrieved_LB = torch.stack([text for _, text in cosines])
    return {"answer": -logprob_A.mean()} | guidance_terms(
        with_caption_LB, of_retrieved_LB, preset=config.preset, over_layers=config.over_layers
    )


def _read(
    model: VisionLanguageModel, batch: PoolBatch, texts: Sequence[str], layers: Sequence[int]
) -> list[Tensor]:
    """`[B, D]` per layer: mean states of texts that are read alone, without gradient."""
    view = batch.reading(texts)
    with torch.no_grad(), without_dropout(model.hf):
        hidden = model.trace(view, hidden=layers).hidden
    return [mean_over_tokens(hidden[layer], view.question_mask_BT) for layer in layers]


def retrieved_mask(model: VisionLanguageModel, view: View) -> Tensor:
    """`[B, T]`: the tokens of each row's retrieved text, which stands before its image; an answer
    may say the same words."""
    before_BT = view.image_mask_BT.cumsum(1) == 0
    ids_BT = view.input_ids_BT.masked_fill(~before_BT, -1)
    texts = [sample.retrieved or "" for sample in view.samples]
    return model.encoder.mask_of(replace(view, input_ids_BT=ids_BT), texts)


def layers_of(preset: Preset, n_layers: int) -> list[int]:
    """The states that are guided: those after every decoder layer, in the release a middle band of
    them, at the same relative depth."""
    if preset == "paper":
        return list(range(1, n_layers + 1))
    low, high = RELEASE_DEPTHS
    first = math.ceil(low * n_layers)
    return list(range(first, max(first, math.floor(high * n_layers)) + 1))


def cosines_of(
    *, image_BD: Tensor, caption_BD: Tensor, retrieved_BD: Tensor
) -> tuple[Tensor, Tensor]:
    """`[B]` each: cosines of image and caption, and of retrieved text and caption.

    Only the image's state carries a gradient: otherwise the loss could fall by pushing the
    retrieved text away from the caption.
    """
    caption_BD = caption_BD.detach().float()
    return (
        F.cosine_similarity(image_BD.float(), caption_BD, dim=-1),
        F.cosine_similarity(retrieved_BD.detach().float(), caption_BD, dim=-1),
    )


def guidance_terms(
    with_caption_LB: Tensor, of_retrieved_LB: Tensor, *, preset: Preset, over_layers: OverLayers
) -> dict[str, Tensor]:
    """Unweighted `pair` and `hinge`, averaged over samples.

    `paper`: -cos(I, C) and log(1 + exp(cos(R, C) - cos(I, C))), summed over layers or averaged.
    The release: exp(-cos(I, C)) and exp(cos(R, C) - cos(I, C)), averaged over its layers;
    `release_literal` returns numbers without a gradient, as Python's `math.exp` does there.
    """
    behind_LB = of_retrieved_LB - with_caption_LB
    if preset == "paper":
        n_added = len(with_caption_LB) if over_layers == "sum" else 1
        return {
            "pair": -with_caption_LB.mean() * n_added,
            "hinge": F.softplus(behind_LB).mean() * n_added,
        }
    terms = {"pair": (-with_caption_LB).exp().mean(), "hinge": behind_LB.exp().mean()}
    if preset == "release_literal":
        return {name: term.detach() for name, term in terms.items()}
    return terms
