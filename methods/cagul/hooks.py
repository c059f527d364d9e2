"""What serves CAGUL and its controls: open the gate or not, then rewrite tokens, or refuse.

Shapes: I images of a view, N visual tokens per image, D width of the language model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from benchmark.api import Respond, RewriteVisualTokens, Sample, View, VisionLanguageModel
from methods.cagul.modules import Gate, TokenEncoder, rewrite
from methods.cagul.selection import Selection


@dataclass(frozen=True, kw_only=True)
class RewriteLeastAttended(RewriteVisualTokens):
    """Where the gate is open, the selected tokens go through the encoder. Where it is shut, the
    very tensors that came in go out."""

    gate: Gate
    encoder: TokenEncoder
    selection: Selection
    oracle: bool
    """Is the gate replaced by the truth about each request?"""

    def rewrite_visual_tokens(
        self, model: VisionLanguageModel, view: View, tokens_IND: Tensor
    ) -> Tensor:
        """`[I, N, D]`; the language model is asked for attention only if some gate is open."""
        open_I = self._opens(model, view, tokens_IND)
        if not open_I.any():
            return tokens_IND
        figures_IN = self.selection.figures(model, view, tokens_IND.shape[1])
        encoder = self.encoder.to(model.device)
        changed_IND = rewrite(encoder, tokens_IND, self.selection.choose(figures_IN))
        return torch.where(open_I[:, None, None], changed_IND, tokens_IND)

    def explain(
        self, model: VisionLanguageModel, view: View, tokens_IND: Tensor
    ) -> Mapping[str, Tensor]:
        """`gate` (open above 0), `importance` as the rule sorts by it, and what is `selected`
        whether or not the gate is open."""
        figures_IN = self.selection.figures(model, view, tokens_IND.shape[1])
        selected_IN = torch.zeros_like(figures_IN, dtype=torch.bool)
        selected_IN.scatter_(1, self.selection.choose(figures_IN), True)
        gate_I = self.gate.to(model.device).margin(tokens_IND)
        return {"gate": gate_I, "importance": figures_IN, "selected": selected_IN}

    def _opens(self, model: VisionLanguageModel, view: View, tokens_IND: Tensor) -> Tensor:
        if not self.oracle:
            return self.gate.to(model.device).margin(tokens_IND) > 0
        told = [s.purpose == "attack" for s in view.samples for _ in s.images]
        return torch.tensor(told, device=tokens_IND.device)


@dataclass(frozen=True, kw_only=True)
class RefuseAtGate(Respond, RewriteVisualTokens):
    """The control that shows what the gate does alone: where it is open, a canned refusal."""

    gate: Gate
    refusal: str
    _open: dict[str, bool] = field(default_factory=dict)
    """By request, of the batch that is being answered."""

    def rewrite_visual_tokens(
        self, model: VisionLanguageModel, view: View, tokens_IND: Tensor
    ) -> Tensor:
        """The tokens as they are; what the gate says of them is remembered."""
        margin_I = self.gate.to(model.device).margin(tokens_IND)
        by_sample = margin_I.split([len(sample.images) for sample in view.samples])
        for sample, own_I in zip(view.samples, by_sample, strict=True):
            self._open[sample.id] = bool((own_I > 0).any())
        return tokens_IND

    def respond(
        self, generate: Callable[[Sequence[Sample]], list[str]], requests: Sequence[Sample]
    ) -> list[str]:
        """The model's answers, and the refusal in place of those that the gate catches."""
        self._open.clear()
        texts = generate(requests)
        return [
            self.refusal if self._open.get(request.id, False) else text
            for request, text in zip(requests, texts, strict=True)
        ]

    def explain(
        self, model: VisionLanguageModel, view: View, tokens_IND: Tensor
    ) -> Mapping[str, Tensor]:
        """`gate`: open above 0."""
        return {"gate": self.gate.to(model.device).margin(tokens_IND)}
