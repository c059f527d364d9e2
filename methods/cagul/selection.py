"""Which visual tokens are rewritten: those that the question attends to least.

Shapes: B samples, T tokens, I images of a view, N visual tokens per image, K selected ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from benchmark.api import Sample, View, VisionLanguageModel
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.store import digest
from benchmark.vlm.encoding import Asked, asked

Rule = Literal["least_attended", "most_attended", "random", "all"]
# Samples that are traced together in advance.
TRACED_TOGETHER = 64


@torch.no_grad()
def importance(model: VisionLanguageModel, view: View, *, layer: int) -> Tensor:
    """`[I, N]`: post-softmax attention of one layer to each visual token, averaged over all heads
    and over the tokens of the user's question. Attention is causal, so that no answer enters.

    Raises `RunFailed` where the question cannot be found in a prompt.
    """
    question_BT = view.question_mask_BT.float()
    n_words_B1 = question_BT.sum(dim=1, keepdim=True)
    seeing_B = view.image_mask_BT.any(dim=1)
    if (n_words_B1.squeeze(1)[seeing_B] == 0).any():
        row = int((seeing_B & (n_words_B1.squeeze(1) == 0)).nonzero()[0])
        raise RunFailed(
            f"sample '{view.samples[row].id}': its question is not in its prompt as it stands, so "
            "that no attention can be said to come from it"
        )
    attention_BTT = model.trace(view, attention=[layer]).attention[layer].float().mean(dim=1)
    alpha_BT = torch.einsum("bq,bqt->bt", question_BT / n_words_B1.clamp(min=1), attention_BTT)
    n_images = sum(len(sample.images) for sample in view.samples)
    return alpha_BT[view.image_mask_BT].view(n_images, -1)


def chance(samples: Sequence[Sample], n_tokens: int) -> Tensor:
    """`[I, N]`: random figures that depend on what is asked and shown, and on nothing else."""
    seeds = [
        digest([sample.system, sample.before_image, sample.prompt, image.sha256])
        for sample in samples
        for image in sample.images
    ]
    return torch.stack(
        [
            torch.rand(n_tokens, generator=torch.Generator().manual_seed(int(seed[:15], 16)))
            for seed in seeds
        ]
    )


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A share of an image's tokens, chosen per query by one layer's attention or by a control's
    rule. `layer` None is the middle one."""

    rule: Rule
    share: float
    layer: int | None
    _known: dict[Asked, Tensor] = field(default_factory=dict, repr=False)

    def figures(self, model: VisionLanguageModel, view: View, n_tokens: int) -> Tensor:
        """`[I, N]`: what the tokens are sorted by; the lowest are chosen."""
        if self.rule == "random":
            return chance(view.samples, n_tokens).to(model.device)
        known = [self._known.get(asked(sample)) for sample in view.samples]
        found = [each for each in known if each is not None]
        alpha_IN = (
            torch.cat(found)
            if len(found) == len(known)
            else importance(model, view, layer=self.layer_of(model))
        )
        return -alpha_IN if self.rule == "most_attended" else alpha_IN

    def choose(self, figures_IN: Tensor) -> Tensor:
        """`[I, K]`: positions of the lowest figures, at least one; of equals the first."""
        n_tokens = figures_IN.shape[1]
        n_chosen = n_tokens if self.rule == "all" else max(1, round(self.share * n_tokens))
        return figures_IN.argsort(dim=1, stable=True)[:, :n_chosen]

    def remember(self, model: VisionLanguageModel, samples: Sequence[Sample]) -> None:
        """Trace these requests once: the weights stay, and so does what they attend to."""
        if self.rule == "random":
            return
        ordered = sorted(samples, key=lambda s: (model.encoder.prompt_length(s), s.id))
        for start in range(0, len(ordered), TRACED_TOGETHER):
            group = ordered[start : start + TRACED_TOGETHER]
            alpha_IN = importance(model, model.view(group), layer=self.layer_of(model))
            by_sample = alpha_IN.split([len(sample.images) for sample in group])
            self._known.update({asked(s): alpha for s, alpha in zip(group, by_sample, strict=True)})

    def layer_of(self, model: VisionLanguageModel) -> int:
        """The decoder layer that is read, from 0; `UserError` for one that the model lacks."""
        layer = model.n_layers // 2 if self.layer is None else self.layer
        if layer >= model.n_layers:
            raise UserError(
                f"layer = {layer}: model '{model.name}' has decoder layers 0 to "
                f"{model.n_layers - 1}"
            )
        return layer
