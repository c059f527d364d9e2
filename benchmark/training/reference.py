"""The model as it was before training, from the same weights: never a second copy.

With an adapter it is one switch away; for full fine-tuning it is read before step 0. Final hidden
states are kept (D numbers per answer token), not vocabulary logits (V).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor, nn

from benchmark.core.errors import RunFailed
from benchmark.core.samples import Sample
from benchmark.training.losses import forward_kl, sum_by_sample, token_logprob
from benchmark.vlm.encoding import Asked, View, asked
from benchmark.vlm.model import VisionLanguageModel

# Samples whose reference states are computed together.
GROUP = 64
Pair = tuple[Asked, str]
# Stands for what is not expected, where what is computed now is agreed upon.
OUTSIDE = -1


class OnForward(Protocol):
    """Told of a view that the untouched model is asked about, and whether what it says is kept."""

    def __call__(self, view: View, *, kept: bool) -> None: ...


def _unheard(view: View, *, kept: bool) -> None:
    """Nobody wants to know."""


class Reference:
    """What the untouched model says of a view. Every tensor it returns is without gradient.

    `expect` tells which samples with which answers may be asked for. They are computed in fixed
    groups (by length), on first need or by `fill`: a state's last digits depend on its neighbours
    in the batch, and an interrupted training must find the same ones again. Which groups are
    computed now is `agreed` upon where several processes must compute together.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        *,
        length_of: Callable[[Sample], int],
        on_forward: OnForward = _unheard,
        agreed: Callable[[Collection[int]], Sequence[int]] = list,
    ) -> None:
        self.model = model
        self._on_forward = on_forward
        self._agreed = agreed
        self._length_of = length_of
        self._groups: list[list[tuple[Sample, str]]] = []
        self._group_of: dict[Pair, int] = {}
        self._states: dict[Pair, Tensor] = {}

    def expect(self, samples: Sequence[Sample], answers: Sequence[str]) -> None:
        """Declare samples that will come back with these answers, so that they may be cached."""
        pairs = {(asked(s), a): (s, a) for s, a in zip(samples, answers, strict=True)}
        ordered = sorted(pairs.values(), key=lambda p: (self._length_of(p[0]), p[0].id, p[1]))
        for start in range(0, len(ordered), GROUP):
            for sample, answer in ordered[start : start + GROUP]:
                self._group_of.setdefault((asked(sample), answer), len(self._groups))
            self._groups.append(ordered[start : start + GROUP])

    def fill(self, samples: Iterable[Sample]) -> None:
        """Compute now all that is expected of these: before step 0 of full fine-tuning, after which
        there is no untouched model."""
        wanted = {asked(sample) for sample in samples}
        self._compute([pair for pair in self._group_of if pair[0] in wanted])

    def answer_logits(self, view: View) -> Tensor:
        """`[A, V]`: the reference's logits for the view's answer tokens."""
        with torch.no_grad():
            return self.model.head_before_training(self._answer_states(view)).float()

    def answer_logprob(self, view: View) -> Tensor:
        """`[B]`: the reference's log-probability of each whole answer."""
        return sum_by_sample(token_logprob(self.answer_logits(view), view.targets_A), view)

    def kl(self, model: VisionLanguageModel, view: View) -> Tensor:
        """KL(reference || model) over the view's answer tokens, in nats per token."""
        return forward_kl(self.answer_logits(view), model.answer_logits(view))

    def hidden(self, view: View, layers: Sequence[int]) -> dict[int, Tensor]:
        """`[B, T, D]` per layer from the untouched model; needs an adapter, nothing is cached."""
        if not self.model.can_switch_off:
            raise RunFailed("reference.hidden needs an adapter: full fine-tuning has no old states")
        with torch.no_grad(), self.model.adapter_off():
            return self.model.trace(view, hidden=layers).hidden

    def _answer_states(self, view: View) -> Tensor:
        if view.answers is None:
            raise ValueError("a reference needs a view with answers")
        pairs = [(asked(s), a) for s, a in zip(view.samples, view.answers, strict=True)]
        unknown = [pair for pair in pairs if pair not in self._group_of]
        if unknown and not self.model.can_switch_off:
            raise RunFailed(
                f"reference of '{unknown[0][0][0]}' with an answer outside the pools: "
                "full fine-tuning has no untouched model left to ask"
            )
        # Nobody asks on the spot while others look up what they know: all do, or none.
        if self._agreed([OUTSIDE] if unknown else []):
            return self._untouched(view)
        self._compute(pairs)
        return torch.cat([self._states[pair] for pair in pairs])

    def _compute(self, pairs: Sequence[Pair]) -> None:
        """Every group of which one of these is missing."""
        missing = {self._group_of[pair] for pair in pairs if pair not in self._states}
        for index in self._agreed(sorted(missing)):
            self._compute_group(self._groups[index])

    @torch.no_grad()
    def _compute_group(self, group: Sequence[tuple[Sample, str]]) -> None:
        view = self.model.view([s for s, _ in group], [a for _, a in group])
        states_AD = self._untouched(view, kept=True)
        counts = view.answer_mask_BT.sum(1).tolist()
        for (sample, answer), state in zip(group, states_AD.split(counts), strict=True):
            self._states[(asked(sample), answer)] = state

    @torch.no_grad()
    def _untouched(self, view: View, *, kept: bool = False) -> Tensor:
        """`[A, D]` without adapter and without dropout."""
        self._on_forward(view, kept=kept)
        # What a method lets the model see instead is no business of the untouched one.
        view = replace(view, seen_IND=None)
        with without_dropout(self.model.hf), self.model.adapter_off():
            return self.model.answer_hidden(view)


@contextmanager
def without_dropout(module: nn.Module) -> Iterator[None]:
    """Dropout layers off, everything else as it is.

    `module.eval()` would do more: on a CPU bitsandbytes repacks 4-bit weights at the first forward
    pass in evaluation mode, and repacked ones carry no gradient afterwards.
    """
    dropouts = [m for m in module.modules() if isinstance(m, nn.Dropout) and m.training]
    for dropout in dropouts:
        dropout.training = False
    try:
        yield
    finally:
        for dropout in dropouts:
            dropout.training = True
